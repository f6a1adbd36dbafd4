// Writing a chat message exactly once, whatever the network does: an answer that was lost is asked for again under the key
// that names the message, and the database knows whether it has it.
import type { Client } from "./call.ts";
import type { ChatMessage, NewMessage } from "./chat.ts";
import { dataOf, GenesisError } from "./error.ts";
import { inTime } from "./in_time.ts";
import { jittered, pause } from "./pause.ts";
import { asThePerson, personOf } from "./person.ts";

export interface SendOptions {
  /** Gives the message up; whether it was written is then unknown. */
  signal?: AbortSignal;
}

/** How long one attempt may take, and for how long there are new ones, in milliseconds. */
const ATTEMPT_MS = 15_000;
const GIVE_UP_MS = 60_000;
const LONGEST_BACKOFF_MS = 5_000;
const UNIQUE_VIOLATION = "23505";

/** Throws a GenesisError, idempotency_conflict where the key names another message; or the signal's reason. */
export async function sendOnce(
  supabase: Client,
  session_id: string,
  message: NewMessage,
  { signal }: SendOptions = {},
): Promise<ChatMessage> {
  const idempotency_key = message.idempotency_key ?? crypto.randomUUID();
  const row = { session_id, role: "user", ...message, idempotency_key };
  const table = () => supabase.from("chat_messages");

  const findStored = async () => {
    const person = await personOf(supabase);
    if (person === null) return null;
    const own = { session_id, idempotency_key, user_id: person };
    const stored = dataOf(
      await inTime((signal) => table().select("*").match(own).abortSignal(signal).maybeSingle(), signal, ATTEMPT_MS),
    );
    if (stored && stored.content !== message.content) {
      throw new GenesisError("idempotency_conflict", "This key names a message of other words.");
    }
    return stored;
  };

  const attempt = async (isAgain: boolean) => {
    const answer = await inTime(
      (signal) => table().insert(row).select("*").abortSignal(signal).single(),
      signal,
      ATTEMPT_MS,
    );
    // A refusal may be newer than the message: the session was archived while the answer was on its way.
    if (answer.error?.code === UNIQUE_VIOLATION || (isAgain && answer.error && answer.status > 0)) {
      const stored = await findStored();
      if (stored) return stored;
    }
    return dataOf(answer);
  };

  const began = Date.now();
  let writer: string | null = null;
  for (let failures = 0;; failures++) {
    signal?.throwIfAborted();
    const mayPass = asThePerson(supabase);
    try {
      // What one person wrote is not sent again as somebody else's.
      const person = await inTime(() => personOf(supabase), signal, ATTEMPT_MS);
      if (writer !== null && person !== null && person !== writer) {
        throw new GenesisError("unauthorized", "Somebody else has signed in since.");
      }
      writer ??= person;
      return await attempt(failures > 0);
    } catch (thrown) {
      signal?.throwIfAborted();
      const isLeft = Date.now() - began < GIVE_UP_MS;
      const isWorthIt = thrown instanceof GenesisError && isLeft && await mayPass(thrown, signal);
      signal?.throwIfAborted();
      if (!isWorthIt) throw thrown;
      await pause(jittered(Math.min(LONGEST_BACKOFF_MS, 250 * 2 ** failures)), signal ?? new AbortController().signal);
    }
  }
}
