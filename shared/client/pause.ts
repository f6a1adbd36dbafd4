// Waiting that an AbortSignal ends.

/** As long as a timer can be; one that is longer, or endless, would end at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves after so many milliseconds, or at once when the signal fires; the caller looks at the signal. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || milliseconds <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(LONGEST_TIMER_MS, milliseconds));
    signal.addEventListener("abort", done);
  });
}

/** Between half of it and all of it, so that many who failed together do not come back together. */
export const jittered = (milliseconds: number): number => milliseconds * (0.5 + Math.random() / 2);
