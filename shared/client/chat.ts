// A chat session: who writes, what was written, and both of them live.
import type { Json, Tables } from "../database.types.ts";
import type { Client } from "./call.ts";
import { dataOf, GenesisError } from "./error.ts";
import { follow, type Reader, readOnce, type Watch, type WatchOptions } from "./follow.ts";
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
  /** Those that were not in the step before. */
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

function messageReader(supabase: Client, id: string, limit: number): Reader<ChatView> {
  let before: ChatView | undefined;
  return {
    topic: `chat:${id}`,
    async look(about, signal) {
      if (before && about && !about.has("messages") && !about.has("session")) return {};
      const newest = before?.messages.at(-1)?.created_at;
      const query = supabase.from("chat_messages").select("*").eq("session_id", id)
        .order("created_at", { ascending: false }).order("id", { ascending: false }).limit(limit).abortSignal(signal);
      const [session, rows] = await Promise.all([
        supabase.from("chat_sessions").select("*").eq("id", id).abortSignal(signal).maybeSingle().then(dataOf),
        (newest ? query.gte("created_at", new Date(Date.parse(newest) - OVERLAP_MS).toISOString()) : query).then(
          dataOf,
        ),
      ]);
      if (!session) throw new GenesisError("session_not_found", "There is no such chat session, or it is not shared.");
      const known = new Set(before?.messages.map((message) => message.id));
      const added = rows.filter((message) => !known.has(message.id)).reverse();
      if (before && added.length === 0 && session.updated_at === before.session.updated_at) return {};
      const messages = [...before?.messages ?? [], ...added]
        .sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at) || (a.id < b.id ? -1 : 1)).slice(-limit);
      before = { session, messages, added };
      return { step: before };
    },
  };
}

/** One chat session. Every method throws GenesisError. */
export function chatOf(supabase: Client, id: string): Chat {
  return {
    id,
    send: (message, options) => sendOnce(supabase, id, message, options),
    async update(changes) {
      const session = dataOf(
        await supabase.from("chat_sessions").update(changes).eq("id", id).select("*").maybeSingle(),
      );
      if (!session) throw new GenesisError("session_not_found", "There is no such chat session of yours.");
      return session;
    },
    read: ({ limit = 200, signal } = {}) => readOnce(messageReader(supabase, id, limit), signal),
    watch: ({ limit = 200, ...options } = {}) => follow(supabase, () => messageReader(supabase, id, limit), options),
  };
}
