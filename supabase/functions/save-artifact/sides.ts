// What one side of a merge did to the base: which lines it surely kept, and how often it added or deleted each.
import { compare } from "./compare.ts";

export interface Side {
  /** For each line of the base its place in the side's text in all readings, or -1. */
  surelyKept: Int32Array;
  /** By line: how often it was added and deleted, in one of the readings. */
  added: Int32Array;
  deleted: Int32Array;
}

/** Null where the two differ in too much to be compared. */
export function sideOf(base: Int32Array, changed: Int32Array, count: number): Side | null {
  const comparison = compare(base, changed, count);
  if (!comparison) return null;
  const { kept, surelyKept } = comparison;
  const [inBase, inChanged] = [countLines(base, count), countLines(changed, count)];
  const deleted = countLines(base.filter((_, at) => kept[at] === -1), count);
  const added = inChanged.map((times, line) => times - (inBase[line] ?? 0) + (deleted[line] ?? 0));
  // A line that both have once was neither deleted nor added, wherever it stands by now.
  for (let line = 0; line < count; line++) {
    if (inBase[line] === 1 && inChanged[line] === 1) added[line] = deleted[line] = 0;
  }
  return { surelyKept, added, deleted };
}

/** Is each line in the merged text as often as both sides' changes demand? What both did alike may count once. */
export function holdsBoth(base: Int32Array, mine: Side, theirs: Side, merged: Int32Array): boolean {
  const [inBase, inMerged] = [countLines(base, mine.added.length), countLines(merged, mine.added.length)];
  return inMerged.every((times, line) => {
    const [added, deleted] = [mine.added[line] ?? 0, mine.deleted[line] ?? 0];
    const [theirAdded, theirDeleted] = [theirs.added[line] ?? 0, theirs.deleted[line] ?? 0];
    const all = (inBase[line] ?? 0) + added + theirAdded - deleted - theirDeleted;
    return times >= all - Math.min(added, theirAdded) && times <= all + Math.min(deleted, theirDeleted);
  });
}

function countLines(lines: Int32Array, count: number): Int32Array {
  const counts = new Int32Array(count);
  for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}
