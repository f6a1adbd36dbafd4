// Somebody who listens to the local Realtime as long as the tests run. Its stream goes on while somebody listens, and begins
// when all transactions of the moment have ended, also those in the databases of other test files: a test that were the
// first to join would wait for the slowest of them.
import { createClient } from "@supabase/supabase-js";
import { eventually, PATIENCE_MS } from "./eventually.ts";

/** Joins a channel that nobody speaks on. `await using listener = await listenAllAlong(stack.env)` leaves it at the end. */
export async function listenAllAlong(env: Record<string, string>): Promise<AsyncDisposable> {
  const { realtime } = createClient(env.SUPABASE_URL ?? "", env.SUPABASE_PUBLISHABLE_KEY ?? "", {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { timeout: PATIENCE_MS },
  });
  let isJoined = false;
  // Who is refused for a moment tries again by itself.
  realtime.channel("all along").subscribe((state) => isJoined ||= state === "SUBSCRIBED");
  if (!await eventually(() => Promise.resolve(isJoined), (is) => is)) throw new Error("Nobody can listen to Realtime");
  return {
    async [Symbol.asyncDispose]() {
      await realtime.removeAllChannels();
      await realtime.disconnect();
    },
  };
}
