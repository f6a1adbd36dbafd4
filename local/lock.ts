// One stack per state directory: a lock that the operating system drops with its holder, and a note of who holds it.
import { join } from "node:path";
import { explainPlace, UserError } from "./user_error.ts";

export interface Holder {
  pid: number;
  url: string;
}

function paths(directory: string) {
  return { lock: join(directory, "stack.lock"), holder: join(directory, "stack.pid") };
}

/** Who runs on this state directory, if anybody. Throws UserError when this user may not know. */
export async function readHolder(directory: string): Promise<Holder | undefined> {
  const { lock, holder } = paths(directory);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(lock, { read: true, write: true });
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw explainPlace(thrown, directory);
  }
  try {
    if (await file.tryLock(true)) return undefined;
    return JSON.parse(await Deno.readTextFile(holder));
  } catch {
    return undefined;
  } finally {
    file.close();
  }
}

/** Takes the state directory and answers how to give it back. Throws UserError when another stack has it. */
export async function takeLock(directory: string, url: string): Promise<() => Promise<void>> {
  const { lock, holder } = paths(directory);
  const file = await Deno.open(lock, { read: true, write: true, create: true }).catch((thrown) => {
    throw explainPlace(thrown, directory);
  });
  if (!await file.tryLock(true)) {
    file.close();
    const other = await readHolder(directory);
    const where = other ? ` at ${other.url} (process ${other.pid})` : "";
    throw new UserError(
      `A stack already runs on ${directory}${where}: use it, stop it, or choose another place with --dir.`,
    );
  }
  await Deno.writeTextFile(holder, JSON.stringify({ pid: Deno.pid, url }));
  return async () => {
    await Deno.remove(holder).catch(() => {});
    await file.unlock();
    file.close();
  };
}
