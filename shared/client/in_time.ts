// A limit on how long an answer is waited for: a connection can be there and carry nothing.
import { GenesisError } from "./error.ts";
import { LONGEST_TIMER_MS } from "./pause.ts";

/** How long a read of the Data API, or one attempt to write there, may take, in milliseconds. */
export const ANSWER_MS = 30_000;

/**
 * Runs a request with a signal of its own, which fires with the caller's and after that many milliseconds; what does not
 * listen to it is left behind. Throws the caller's reason where the caller gave up, `unavailable` where nobody answered.
 */
export async function inTime<Answer>(
  request: (signal: AbortSignal) => PromiseLike<Answer>,
  signal: AbortSignal | undefined,
  milliseconds = ANSWER_MS,
): Promise<Answer> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  let end = () => ending.abort();
  const givenUp = new Promise<never>((_, reject) => {
    end = () => {
      ending.abort();
      reject(new GenesisError("unavailable", "The request was given up."));
    };
  });
  const timer = setTimeout(end, Math.min(LONGEST_TIMER_MS, milliseconds));
  signal?.addEventListener("abort", end);
  try {
    return await Promise.race([request(ending.signal), givenUp]);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}
