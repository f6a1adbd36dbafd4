// Starts over: stops the stack of a state directory and deletes what it kept.
import { join } from "node:path";
import { possibleHomes } from "./postgres_home.ts";
import { stopStack } from "./stop.ts";
import { explainPlace } from "./user_error.ts";

/** Everything a stack ever writes into its directory: nothing else in there is touched. */
const KEPT = ["postgres", "storage", "mail.json", "secrets.json", "stack.env", "stack.pid", "stack.lock"];

/** Deletes the state; answers what was done, in sentences. */
export async function reset(directory: string): Promise<string[]> {
  const done = await stopStack(directory);
  const [, outside] = await possibleHomes(directory);
  const deleted: string[] = [];
  for (const path of [...KEPT.map((name) => join(directory, name)), outside]) {
    try {
      await Deno.remove(path, { recursive: true });
      deleted.push(path);
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw explainPlace(thrown, path);
    }
  }
  // Only if nothing of the user's own is left in it.
  await Deno.remove(directory).catch(() => {});
  return [...done, deleted.length > 0 ? `Deleted ${deleted.join(", ")}.` : "There was nothing to delete."];
}
