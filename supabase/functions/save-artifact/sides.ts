// What one side of a merge did to the base: which lines it surely kept, and how often it added or deleted each.
import { compare } from "./compare.ts";

export interface Side {
  /** For each line of the base its place in the side's text in all readings, or -1. */
  surelyKept: Int32Array;
  /** By line: how often it is in the side's text, and how often it was added and deleted in one of the readings. */
  counts: Int32Array;
  added: Int32Array;
  deleted: Int32Array;
  /** By place in the base: is it amid lines that were moved, of which one is in no text twice? */
  movedAlong: Uint8Array;
}

/** Null where the two differ in too much to be compared. */
export function sideOf(base: Int32Array, changed: Int32Array, count: number): Side | null {
  const comparison = compare(base, changed, count);
  if (!comparison) return null;
  const { kept, surelyKept } = comparison;
  const [inBase, counts] = [countLines(base, count), countLines(changed, count)];
  const deleted = countLines(base.filter((_, at) => kept[at] === -1), count);
  const added = counts.map((times, line) => times - (inBase[line] ?? 0) + (deleted[line] ?? 0));
  const movedAlong = new Uint8Array(base.length);
  for (let at = 0, end = 0; at < base.length; at = end + 1) {
    for (end = at; end < base.length && surelyKept[end] === -1; end++);
    const isMoved = base.subarray(at, end).some((line) => inBase[line] === 1 && counts[line] === 1);
    if (isMoved) movedAlong.fill(1, at, end);
  }
  return { surelyKept, counts, added, deleted, movedAlong };
}

/** Is the line in no text twice, and one side deleted it while the other has it, maybe at another place? */
export function isDeletedByOne(mine: Side, theirs: Side, line: number, place: number): boolean {
  const [inMine, inTheirs] = [mine.counts[line] ?? 0, theirs.counts[line] ?? 0];
  const inBase = inMine - (mine.added[line] ?? 0) + (mine.deleted[line] ?? 0);
  if (inBase === 1 && inMine + inTheirs === 1) return true;
  const [byMe, byThem] = [mine.movedAlong[place] === 1, theirs.movedAlong[place] === 1];
  return byMe && !byThem && inMine >= inBase && inTheirs < inBase ||
    byThem && !byMe && inTheirs >= inBase && inMine < inBase;
}

/**
 * Is each line in the merged text as often as both sides' changes demand? What both did alike may count once. Where
 * `isWithin`, the merged text is one side's own, as when a request is sent again: then lines that repeat may have been
 * added and deleted alike by both. All others were only moved where a side did both.
 */
export function holdsBoth(base: Int32Array, mine: Side, theirs: Side, merged: Int32Array, isWithin: boolean): boolean {
  const [inBase, inMerged] = [base, merged].map((lines) => countLines(lines, mine.counts.length));
  return inMerged?.every((times, line) => {
    const was = inBase?.[line] ?? 0;
    const repeats = Math.max(was, mine.counts[line] ?? 0, theirs.counts[line] ?? 0) > 1;
    const [ours, others] = [mine, theirs].map((side) => changesOf(side, line, isWithin && repeats));
    if (!ours || !others) return false;
    const all = was + ours.added + others.added - ours.deleted - others.deleted;
    return times >= all - Math.min(ours.added, others.added) && times <= all + Math.min(ours.deleted, others.deleted);
  }) ?? false;
}

function changesOf(side: Side, line: number, countsMoves: boolean): { added: number; deleted: number } {
  const [added, deleted] = [side.added[line] ?? 0, side.deleted[line] ?? 0];
  const moved = countsMoves ? 0 : Math.min(added, deleted);
  return { added: added - moved, deleted: deleted - moved };
}

function countLines(lines: Int32Array, count: number): Int32Array {
  const counts = new Int32Array(count);
  for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}
