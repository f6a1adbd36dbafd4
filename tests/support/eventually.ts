// Waiting for what happens a moment after its cause, however slow the machine.

/** After so long, in milliseconds, it is taken that what a test waits for never comes: no machine is as slow. */
export const PATIENCE_MS = 60_000;

/** Asks again until the answer is the wanted one, for what happens a moment after its cause. */
export async function eventually<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer) || Date.now() > deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
