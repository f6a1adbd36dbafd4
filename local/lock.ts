// One stack per state directory: a lock that the operating system drops with its holder, and a note of who holds it.
import { join } from "node:path";
import { UserError } from "./user_error.ts";

export interface Lock {
  release(): Promise<void>;
}

export interface Holder {
  pid: number;
  url: string;
}

function paths(directory: string) {
  return { lock: join(directory, "stack.lock"), holder: join(directory, "stack.pid") };
}

/** Who runs on this state directory, if anybody. */
export async function readHolder(directory: string): Promise<Holder | undefined> {
  const { lock, holder } = paths(directory);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(lock, { read: true, write: true });
  } catch {
    return undefined;
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

/** Throws UserError when a stack runs on this state directory. */
export async function assertFree(directory: string): Promise<void> {
  const other = await readHolder(directory);
  if (!other) return;
  throw new UserError(
    `A stack already runs on ${directory} at ${other.url} (process ${other.pid}): ` +
      "use it, stop it, or choose another place with --dir.",
  );
}

/** Takes the state directory, or throws UserError when another stack was faster. */
export async function takeLock(directory: string, url: string): Promise<Lock> {
  const { lock, holder } = paths(directory);
  const file = await Deno.open(lock, { read: true, write: true, create: true });
  if (!await file.tryLock(true)) {
    file.close();
    throw new UserError(`Another stack is just starting on ${directory}: choose another place with --dir.`);
  }
  await Deno.writeTextFile(holder, JSON.stringify({ pid: Deno.pid, url }));
  return {
    async release() {
      await Deno.remove(holder).catch(() => {});
      await file.unlock();
      file.close();
    },
  };
}
