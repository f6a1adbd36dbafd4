// A failure the person at the keyboard can act on: main.ts prints its message alone, without a stack trace.

export class UserError extends Error {
  override name = "UserError";
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Turns a full disk, wherever it was noticed, into one sentence; passes on the rest. */
export function explainFullDisk(thrown: unknown, place: string): unknown {
  // PostgreSQL has a sentence of its own for what fitted in part.
  if (
    !/no space left on device|ENOSPC|disk quota exceeded|os error 28\b|wrote only \d+ of \d+ bytes/i.test(
      messageOf(thrown),
    )
  ) return thrown;
  return new UserError(`The disk that holds ${place} is full: free some space or choose another place with --dir.`);
}

/** Turns what the operating system says about a place that cannot be written to into one sentence; passes on the rest. */
export function explainPlace(thrown: unknown, place: string): unknown {
  const message = `${(thrown as { code?: string }).code ?? ""} ${messageOf(thrown)}`;
  if (/permission denied|EACCES|EPERM|read-only file system|EROFS|os error (1|13|30)\b/i.test(message)) {
    return new UserError(`Cannot write to ${place}: give yourself access to it or choose another place with --dir.`);
  }
  if (/ENOTDIR|EEXIST|not a directory|os error (17|20)\b/i.test(message)) {
    return new UserError(`Cannot keep state in ${place}: a file is in the way; choose another place with --dir.`);
  }
  if (/ENOENT|ENAMETOOLONG|ELOOP|no such file|name too long|os error (2|36|40)\b/i.test(message)) {
    return new UserError(`Cannot make ${place}: choose another place with --dir.`);
  }
  return thrown;
}
