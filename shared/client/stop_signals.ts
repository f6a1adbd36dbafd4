// SIGTERM and SIGINT, on runtimes that have them.

interface Process {
  on?(name: string, listener: () => void): void;
  off?(name: string, listener: () => void): void;
}

const SIGNALS = ["SIGTERM", "SIGINT"];
/** Of all workers of the program: Node warns of a leak where each listens by itself. */
const stops = new Set<() => void>();
const stopAll = () => {
  for (const stop of [...stops]) stop();
};

/** Calls `stop` at the first of the signals; the answer takes that back. Does nothing in a browser. */
export function onStopSignals(stop: () => void): () => void {
  const { process } = globalThis as { process?: Process };
  if (typeof process?.on !== "function" || typeof process.off !== "function") return () => {};
  // A function that is given twice is two.
  const own = () => stop();
  if (stops.size === 0) { for (const name of SIGNALS) process.on(name, stopAll); }
  stops.add(own);
  return () => {
    if (!stops.delete(own) || stops.size > 0) return;
    for (const name of SIGNALS) process.off?.(name, stopAll);
  };
}
