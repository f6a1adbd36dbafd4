// A chat session live, with one's own messages shown before they are confirmed.
import { useCallback, useState } from "react";
import type { Chat, ChatMessage, ChatSession, GenesisError, NewMessage } from "../client/mod.ts";
import { useGenesis, useTurn } from "./context.ts";
import { usePending } from "./use_pending.ts";
import { useWatch } from "./use_watch.ts";

type SessionChanges = Parameters<Chat["update"]>[0];

/**
 * A message, whether it is still on its way, and a key for React's lists, which stays what it is when the message arrives
 * and is given its id.
 */
export type ShownMessage = ChatMessage & { key: string; isPending?: true };

export interface UseChatSession {
  session: ChatSession | null;
  /** The oldest first; those on their way last. */
  messages: ShownMessage[];
  loading: boolean;
  error: GenesisError | null;
  isLive: boolean;
  /** Shows the message at once and takes it back when it is refused; throws the refusal. */
  addMessage(message: NewMessage): Promise<ChatMessage>;
  /** Shows the change at once and takes it back when it is refused; throws the refusal. */
  updateSession(changes: SessionChanges): Promise<ChatSession>;
}

type Change = { sessionId: string; message?: ChatMessage; fields?: SessionChanges };

/** `useChatSession(id)`; an empty id shows nothing. */
export function useChatSession(sessionId: string): UseChatSession {
  const genesis = useGenesis();
  const turn = useTurn();
  const { step, loading, error, isLive } = useWatch(
    sessionId,
    (genesis, options) => genesis.chat(sessionId).watch(options),
  );
  const pending = usePending<Change>();
  const [sent, setSent] = useState<{ row: ChatMessage; turn: number }[]>([]);
  const [changed, setChanged] = useState<ChatSession | null>(null);

  const addMessage = useCallback((message: NewMessage) => {
    // The database names its rows itself: this is how the message is recognised when the watch is faster than the answer.
    const idempotency_key = message.idempotency_key ?? crypto.randomUUID();
    const shown: ChatMessage = {
      id: idempotency_key,
      idempotency_key,
      session_id: sessionId,
      // Who may read it says the session; the database writes that down.
      project_id: "",
      private_to: null,
      user_id: null,
      task_id: null,
      role: "user",
      content: message.content,
      artifacts: message.artifacts ?? [],
      metadata: message.metadata ?? {},
      created_at: new Date().toISOString(),
    };
    return pending.run(
      { sessionId, message: shown },
      () => genesis.chat(sessionId).send({ ...message, idempotency_key }),
      // Kept until the watch brings it, which it does within seconds.
      (row) => setSent((before) => [...before.slice(-49), { row, turn }]),
    );
  }, [genesis, sessionId, turn, pending.run]);

  const updateSession = useCallback(
    (fields: SessionChanges) =>
      pending.run({ sessionId, fields }, () => genesis.chat(sessionId).update(fields), setChanged),
    [genesis, sessionId, pending.run],
  );

  const own = pending.changes.filter((change) => change.sessionId === sessionId);
  const rows = [...step?.messages ?? []];
  const known = new Set(rows.map(({ id }) => id));
  const oldest = Date.parse(rows[0]?.created_at ?? "") || 0;
  // Whoever may not see the session any more is not shown what they wrote there either.
  for (const { row, turn: sentIn } of error ? [] : sent) {
    // Older than the oldest that is shown: it has come and gone.
    if (sentIn !== turn || row.session_id !== sessionId || known.has(row.id) || Date.parse(row.created_at) < oldest) {
      continue;
    }
    known.add(row.id);
    rows.push(row);
  }
  rows.sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at));
  const keys = new Set<string>();
  const messages: ShownMessage[] = rows.map((row) => {
    // Somebody else may repeat a key that they have read: the first to use it keeps it.
    const key = row.idempotency_key !== null && !keys.has(row.idempotency_key) ? row.idempotency_key : row.id;
    keys.add(key);
    return { ...row, key };
  });
  for (const { message } of own) {
    if (message && !keys.has(message.id)) messages.push({ ...message, key: message.id, isPending: true });
  }
  const watched = step?.session;
  const isAhead = watched && changed?.id === watched.id &&
    Date.parse(changed.updated_at) > Date.parse(watched.updated_at);
  const stored = isAhead ? changed : watched;
  return {
    session: stored ? Object.assign({}, stored, ...own.map(({ fields }) => fields)) : null,
    messages,
    loading,
    error: error ?? pending.error,
    isLive,
    addMessage,
    updateSession,
  };
}
