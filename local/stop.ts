// Stops the stack of a state directory from outside, and cleans up after one that was killed.
import { join } from "node:path";
import { readHolder } from "./lock.ts";
import { stopOrphans } from "./postgres.ts";
import { isRunning, signal, waitUntilGone } from "./process.ts";
import { UserError } from "./user_error.ts";

/** How long a stack may take to stop, in milliseconds. */
const PATIENCE = 30_000;

/** Stops what runs on the directory; answers what was done, in sentences. */
export async function stopStack(directory: string): Promise<string[]> {
  const holder = await readHolder(directory);
  if (holder && await isRunning(holder.pid)) {
    signal(holder.pid, "SIGTERM");
    if (!await waitUntilGone(holder.pid, PATIENCE)) {
      throw new UserError(`The stack at ${holder.url} (process ${holder.pid}) did not stop within 30 seconds.`);
    }
    return [`Stopped the stack at ${holder.url} (process ${holder.pid}).`];
  }
  const hadOrphan = await stopOrphans(directory);
  for (const leftover of ["stack.env", "stack.pid"]) await Deno.remove(join(directory, leftover)).catch(() => {});
  return [hadOrphan ? "Stopped the PostgreSQL that a killed stack had left behind." : `No stack runs on ${directory}.`];
}
