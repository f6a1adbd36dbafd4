// Three-way merge of texts by lines, in bounded time. node-diff3 does the merging; its cost grows with the square or
// cube of what it is given, so the texts are cut first at the lines that all three have exactly once, and a piece that
// would still take too long counts as a conflict instead of holding the process.
import { diff3Merge, diffPatch } from "node-diff3";

/** A change to the base: `buffer1` is the base's side of it, `buffer2` the new one; offsets and lengths in lines. */
export interface Hunk {
  buffer1: { offset: number; length: number; chunk: string[] };
  buffer2: { offset: number; length: number; chunk: string[] };
}

export interface Merge {
  /** Both changes in one text, or null where they touch the same lines. */
  merged: string | null;
  yours: Hunk[];
  theirs: Hunk[];
}

/** Steps that node-diff3 may take for one piece; about a tenth of a second. */
const MAX_COST = 5_000_000;

/** Lines with their ends, so that joining them gives the text back. */
const linesOf = (text: string) => text === "" ? [] : text.split(/(?<=\n)/);

/** Merges what `mine` and `theirs` each changed in `base`. */
export function merge(mineText: string, baseText: string, theirsText: string): Merge {
  const [mine, base, theirs] = [linesOf(mineText), linesOf(baseText), linesOf(theirsText)];
  const cuts = [...commonLines(mine, base, theirs), [mine.length, base.length, theirs.length] as const];
  const parts: string[][] = [];
  const [yours, theirHunks]: [Hunk[][], Hunk[][]] = [[], []];
  let isClean = true;
  let [m, b, t] = [0, 0, 0];
  for (const [cutM, cutB, cutT] of cuts) {
    const [pieceM, pieceB, pieceT] = [mine.slice(m, cutM), base.slice(b, cutB), theirs.slice(t, cutT)];
    const merged = mergePiece(pieceM, pieceB, pieceT);
    isClean &&= merged !== null;
    parts.push(merged ?? [], base.slice(cutB, cutB + 1));
    yours.push(hunksOf(pieceB, pieceM, b, m));
    theirHunks.push(hunksOf(pieceB, pieceT, b, t));
    [m, b, t] = [cutM + 1, cutB + 1, cutT + 1];
  }
  // Cutting may have put two changes side by side that have lines between them in the whole text.
  const whole = isClean ? parts.flat() : joinSides(mine, base, theirs);
  return { merged: whole?.join("") ?? null, yours: yours.flat(), theirs: theirHunks.flat() };
}

const equal = (left: string[], right: string[]) =>
  left.length === right.length && left.every((line, index) => line === right[index]);

function mergePiece(mine: string[], base: string[], theirs: string[]): string[] | null {
  if (equal(mine, base) || equal(mine, theirs)) return theirs;
  if (equal(theirs, base)) return mine;
  const sides = joinSides(mine, base, theirs);
  if (sides) return sides;
  if (cost(base, mine) > MAX_COST || cost(base, theirs) > MAX_COST) return null;
  const regions = diff3Merge(mine, base, theirs, { excludeFalseConflicts: true });
  return regions.every((region) => region.ok) ? regions.flatMap((region) => region.ok ?? []) : null;
}

/** Both changes where each is one stretch of the base, with lines between the two that neither touched. */
function joinSides(mine: string[], base: string[], theirs: string[]): string[] | null {
  return joinApart(editOf(base, mine, "early"), base, editOf(base, theirs, "late")) ??
    joinApart(editOf(base, theirs, "early"), base, editOf(base, mine, "late"));
}

/**
 * The one stretch of the base outside which nothing was changed, and what stands there now. Among lines that repeat it
 * may lie in several places: the first one is `early`, the last one `late`.
 */
function editOf(base: string[], changed: string[], where: "early" | "late"): Edit {
  const shortest = Math.min(base.length, changed.length);
  let [head, tail] = [0, 0];
  const growHead = () => {
    while (head + tail < shortest && base[head] === changed[head]) head++;
  };
  const growTail = () => {
    while (head + tail < shortest && base.at(-1 - tail) === changed.at(-1 - tail)) tail++;
  };
  if (where === "late") growHead();
  growTail();
  growHead();
  return { from: head, to: base.length - tail, lines: changed.slice(head, changed.length - tail) };
}

interface Edit {
  from: number;
  to: number;
  lines: string[];
}

/** Both edits where the first ends before the second begins: no comparison of lines is needed. */
function joinApart(first: Edit, base: string[], second: Edit): string[] | null {
  if (first.to >= second.from) return null;
  return [
    ...base.slice(0, first.from),
    ...first.lines,
    ...base.slice(first.to, second.from),
    ...second.lines,
    ...base.slice(second.to),
  ];
}

function hunksOf(base: string[], changed: string[], baseOffset: number, changedOffset: number): Hunk[] {
  if (equal(base, changed)) return [];
  const whole = [{
    buffer1: { offset: 0, length: base.length, chunk: base },
    buffer2: { offset: 0, length: changed.length, chunk: changed },
  }];
  const hunks = cost(base, changed) > MAX_COST ? whole : diffPatch(base, changed);
  return hunks.map(({ buffer1, buffer2 }) => ({
    buffer1: { ...buffer1, offset: buffer1.offset + baseOffset },
    buffer2: { ...buffer2, offset: buffer2.offset + changedOffset },
  }));
}

/** About how many steps a comparison takes: every pair of equal lines, times the length of the chains they form. */
function cost(base: string[], changed: string[]): number {
  const counts = countLines(base);
  const pairs = changed.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0);
  return (pairs + base.length + changed.length) * Math.min(base.length, changed.length);
}

function countLines(lines: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

type Cut = readonly [mine: number, base: number, theirs: number];

/** Where all three texts surely agree: their common ends, and between those the lines each has once, in one order. */
function commonLines(mine: string[], base: string[], theirs: string[]): Cut[] {
  const shortest = Math.min(mine.length, base.length, theirs.length);
  let head = 0;
  while (head < shortest && mine[head] === base[head] && base[head] === theirs[head]) head++;
  let tail = 0;
  while (
    tail < shortest - head && mine.at(-1 - tail) === base.at(-1 - tail) && base.at(-1 - tail) === theirs.at(-1 - tail)
  ) tail++;
  const [inMine, inBase, inTheirs] = [mine, base, theirs].map((lines) => uniqueLines(lines, head, lines.length - tail));
  const once: Cut[] = [];
  for (const [line, index] of inBase ?? []) {
    const [inM, inT] = [inMine?.get(line), inTheirs?.get(line)];
    if (inM !== undefined && inT !== undefined) once.push([inM, index, inT]);
  }
  const heads = Array.from({ length: head }, (_, index): Cut => [index, index, index]);
  const tails = Array.from({ length: tail }, (_, index): Cut => {
    const fromEnd = tail - index;
    return [mine.length - fromEnd, base.length - fromEnd, theirs.length - fromEnd];
  });
  return heads.concat(increasing(increasing(once, 0), 2), tails);
}

/** The lines between two indexes that occur once in the whole text, in order, with their index. */
function uniqueLines(lines: string[], from: number, to: number): Map<string, number> {
  const counts = countLines(lines);
  const unique = new Map<string, number>();
  for (let index = from; index < to; index++) {
    const line = lines[index];
    if (line !== undefined && counts.get(line) === 1) unique.set(line, index);
  }
  return unique;
}

/** The longest part of the list in which the given place only grows. O(n log n). */
function increasing(cuts: Cut[], place: 0 | 2): Cut[] {
  const ends: number[] = [];
  const before: number[] = [];
  const at = (index: number | undefined) => index === undefined ? -1 : cuts[index]?.[place] ?? -1;
  cuts.forEach((cut, index) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(ends[middle]) < cut[place]) low = middle + 1;
      else high = middle;
    }
    before[index] = ends[low - 1] ?? -1;
    ends[low] = index;
  });
  const chain: Cut[] = [];
  for (let index = ends.at(-1) ?? -1; index >= 0; index = before[index] ?? -1) {
    const cut = cuts[index];
    if (cut) chain.push(cut);
  }
  return chain.reverse();
}
