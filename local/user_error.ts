// A failure the person at the keyboard can act on: main.ts prints its message alone, without a stack trace.

export class UserError extends Error {
  override name = "UserError";
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Turns what the operating system says about a full disk or a forbidden place into one sentence; passes on the rest. */
export function explainFailure(thrown: unknown, place: string): Error {
  const message = messageOf(thrown);
  if (/no space left on device|ENOSPC|disk quota exceeded|os error 28\b/i.test(message)) {
    return new UserError(`The disk that holds ${place} is full: free some space or choose another place with --dir.`);
  }
  if (/permission denied|EACCES|EPERM|read-only file system|EROFS|os error (1|13|30)\b/i.test(message)) {
    return new UserError(`Cannot write to ${place}: give yourself access to it or choose another place with --dir.`);
  }
  return thrown instanceof Error ? thrown : new Error(message);
}
