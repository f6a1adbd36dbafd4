// SIGTERM and SIGINT, on runtimes that have them.

interface Process {
  on?(name: string, listener: () => void): void;
  off?(name: string, listener: () => void): void;
}

/** Calls `stop` at the first of the signals; the answer takes that back. Does nothing in a browser. */
export function onStopSignals(stop: () => void): () => void {
  const { process } = globalThis as { process?: Process };
  if (typeof process?.on !== "function" || typeof process.off !== "function") return () => {};
  const names = ["SIGTERM", "SIGINT"];
  for (const name of names) process.on(name, stop);
  return () => {
    for (const name of names) process.off?.(name, stop);
  };
}
