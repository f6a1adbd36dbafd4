// Large bodies take turns: as a text, as values and as the text that goes to the database, each is there several times,
// and without turns a process would keep the memory that the most of them ever took at once.

/** As many as there are connections to the database, for which they would wait next. */
const MAX_AT_ONCE = 4;
/** What smaller ones take does not count. */
const LARGE_BYTES = 1_048_576;

let running = 0;
const waiting: (() => void)[] = [];

/** Does the work at once for a small body, and in its turn for a large one. */
export async function inTurn<Result>(bodyBytes: number, work: () => Promise<Result>): Promise<Result> {
  if (bodyBytes <= LARGE_BYTES) return await work();
  if (running === MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await work();
  } finally {
    // Who waits takes over the place.
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}
