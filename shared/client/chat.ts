// A chat session: who writes, what was written, and both of them live.
import type { Json, Tables } from "../database.types.ts";
import type { Client } from "./call.ts";
import { dataOf, GenesisError } from "./error.ts";
import { follow, type Reader, readOnce, type Watch, type WatchOptions } from "./follow.ts";
import { asSomebody } from "./person.ts";
import { sendOnce, type SendOptions } from "./send_once.ts";

export type ChatSession = Tables<"chat_sessions">;
export type ChatMessage = Tables<"chat_messages">;

export interface NewMessage {
  content: string;
  artifacts?: Json[];
  metadata?: { [key: string]: Json };
  /** A uuid that names this message among its sender's: sent again under it, it is not written again. */
  idempotency_key?: string;
}

export interface ChatView {
  session: ChatSession;
  /** The newest of them, oldest first. */
  messages: ChatMessage[];
  /** Those that no step before had, none left out: of more than 200, several steps have a part each, the oldest first. */
  added: ChatMessage[];
}

export interface Chat {
  id: string;
  /**
   * Writes as the person who is signed in, once: while nobody answers it is sent again, for a minute, under the key that
   * names it (made up where absent). To go on after that, send it again with the same key.
   */
  send(message: NewMessage, options?: SendOptions): Promise<ChatMessage>;
  /** Changes title, context or status; its owner only. */
  update(changes: Partial<Pick<ChatSession, "title" | "context" | "status" | "is_shared">>): Promise<ChatSession>;
  /** The first step of a watch. */
  read(options?: { signal?: AbortSignal; limit?: number }): Promise<ChatView>;
  /** The session with its newest messages (200 where nothing is said), then again whenever there is more. */
  watch(options?: WatchOptions & { limit?: number }): Watch<ChatView>;
}

/** A message may commit after a younger one: what is this much older than the newest, in milliseconds, is read again. */
const OVERLAP_MS = 60_000;

/** Messages in one look after the first; the Data API may answer no fewer. */
const PAGE = 200;

function inOrder(a: ChatMessage, b: ChatMessage): number {
  const [left, right] = [a, b].map(({ created_at, id }) => `${created_at} ${id}`) as [string, string];
  return Date.parse(a.created_at) - Date.parse(b.created_at) || (left < right ? -1 : 1);
}

function messageReader(supabase: Client, id: string, limit: number): Reader<ChatView> {
  let before: ChatView | undefined;
  // The oldest of a first step that could not hold all: what is older is not new.
  let oldest: ChatMessage | undefined;
  // When the newest was written that has been told.
  let newest = 0;
  // Where a page ended that was full.
  let last: ChatMessage | undefined;
  // When those were written that may be read again.
  const told = new Map<string, number>();
  const overlap = () => Math.max(0, newest - OVERLAP_MS);

  const select = (signal: AbortSignal) =>
    supabase.from("chat_messages").select("*").eq("session_id", id).abortSignal(signal);
  // One is read also for who wants to see none: what is newer is new.
  const most = Math.max(1, limit);
  const readNewest = async (signal: AbortSignal) => {
    const newest = { ascending: false };
    return dataOf(await select(signal).order("created_at", newest).order("id", newest).limit(most)).reverse();
  };
  const readPage = async (signal: AbortSignal) => {
    const from = new Date(Math.max(overlap(), Date.parse(oldest?.created_at ?? "") || 0)).toISOString();
    const query = select(signal).order("created_at").order("id").limit(PAGE).gte(
      "created_at",
      last?.created_at ?? from,
    );
    const behind = last && `created_at.gt."${last.created_at}",id.gt.${last.id}`;
    return dataOf(await (behind ? query.or(behind) : query));
  };

  return {
    topic: `chat:${id}`,
    async look(about, signal) {
      if (before && about && !about.has("messages") && !about.has("session")) return {};
      const [session, rows] = await Promise.all([
        supabase.from("chat_sessions").select("*").eq("id", id).abortSignal(signal).maybeSingle().then(dataOf),
        before ? readPage(signal) : readNewest(signal),
      ]);
      signal.throwIfAborted();
      if (!session) throw new GenesisError("session_not_found", "There is no such chat session, or it is not shared.");
      if (!before && rows.length === most) oldest = rows[0];
      const more = before !== undefined && rows.length === PAGE;
      last = more ? rows.at(-1) : undefined;
      const added = rows.filter((row) => !told.has(row.id) && !(oldest && inOrder(row, oldest) < 0));
      for (const row of added) {
        const time = Date.parse(row.created_at);
        told.set(row.id, time);
        newest = Math.max(newest, time);
      }
      if (before && added.length === 0 && session.updated_at === before.session.updated_at) return { more };
      const messages = [...before?.messages ?? [], ...added].sort(inOrder);
      messages.splice(0, messages.length - limit);
      before = { session, messages, added: before ? added : messages };
      for (const [id, time] of told) if (!more && time < overlap()) told.delete(id);
      return { step: before, more };
    },
  };
}

/** One chat session. Every method throws GenesisError. */
export function chatOf(supabase: Client, id: string): Chat {
  return {
    id,
    send: (message, options) => sendOnce(supabase, id, message, options),
    update: (changes) =>
      asSomebody(supabase, async () => {
        const session = dataOf(
          await supabase.from("chat_sessions").update(changes).eq("id", id).select("*").maybeSingle(),
        );
        if (!session) throw new GenesisError("session_not_found", "There is no such chat session of yours.");
        return session;
      }),
    read: ({ limit = 200, signal } = {}) => readOnce(supabase, messageReader(supabase, id, limit), signal),
    watch: ({ limit = 200, ...options } = {}) => follow(supabase, () => messageReader(supabase, id, limit), options),
  };
}
