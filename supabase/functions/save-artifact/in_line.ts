// Work that would only get in its own way when done at once: one after another, per key, within this process. Between
// processes nothing changes; there the database decides who was first.

const lines = new Map<string, Promise<void>>();

/** Does the work when all earlier work of the same key is done, and gives back what it gives or throws. */
export async function inLine<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
  const mine = (lines.get(key) ?? Promise.resolve()).then(work);
  const end = mine.then(() => {}, () => {});
  lines.set(key, end);
  try {
    return await mine;
  } finally {
    if (lines.get(key) === end) lines.delete(key);
  }
}
