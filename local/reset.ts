// Starts over: stops the stack of a state directory and deletes what it kept.
import { join } from "node:path";
import { possibleHomes } from "./postgres_home.ts";
import { stopStack } from "./stop.ts";
import { explainPlace, UserError } from "./user_error.ts";

/** Everything a stack ever writes into its directory: nothing else in there is touched. */
const KEPT = ["postgres", "storage", "mail.json", "secrets.json", "stack.env", "stack.pid", "stack.lock"];

/** What every stack has written, and nobody else would have. Deleted last, so that a reset that broke off can be repeated. */
const SIGNS = ["secrets.json", "stack.lock"];

/** Throws UserError when what bears our names there may well be somebody else's. */
async function checkIsStacks(directory: string): Promise<void> {
  const holds = (name: string) => Deno.stat(join(directory, name)).then(() => [name], () => []);
  const [signs, kept] = await Promise.all([SIGNS, KEPT].map((names) => Promise.all(names.map(holds))));
  if (signs.flat().length > 0 || kept.flat().length === 0) return;
  throw new UserError(
    `${directory} was never a stack's (it has neither ${SIGNS.join(" nor ")}): delete ${
      kept.flat().join(", ")
    } yourself, or name the right place with --dir.`,
  );
}

/** Deletes the state; answers what was done, in sentences. */
export async function reset(directory: string): Promise<string[]> {
  await checkIsStacks(directory);
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
