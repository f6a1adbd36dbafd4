// Three-way merge of lines, as numbers: cut where both sides surely kept a line, and piece by piece by all the readings.
import { mergeDiff3 } from "node-diff3";
import { type Effort, mergeReadings, startEffort } from "./readings.ts";
import { holdsBoth, isDeletedByOne, type Side, sideOf } from "./sides.ts";
import { equal } from "./texts.ts";

/** Steps that node-diff3 may take, whose cost grows with the square of a text; about a tenth of a second. */
const MAX_COST = 5_000_000;

/** This many lines of a piece's common ends stay in it: a change among equal lines may also be read as one further out. */
const SLACK_LINES = 300;

type Numbers = ArrayLike<number>;

/** Merges changes of one base. `count` is the number of different lines. */
export class LineMerger {
  readonly #sides = new Map<Int32Array, Side | null>();

  constructor(readonly base: Int32Array, readonly count: number) {}

  /** Both changes, or null where they overlap or cannot be told apart. */
  merge(mine: Int32Array, theirs: Int32Array): Int32Array | null {
    const { base } = this;
    if (equal(mine, base) || equal(mine, theirs)) return theirs;
    if (equal(theirs, base)) return mine;
    const [mySide, theirSide] = [this.#sideOf(mine), this.#sideOf(theirs)];
    if (!mySide || !theirSide) return null;
    const pieces = this.#mergePieces([mine, mySide], [theirs, theirSide]);
    if (!pieces || isGuess(mine, base, theirs, pieces)) return null;
    const merged = Int32Array.from(pieces);
    const isWithin = equal(merged, mine) || equal(merged, theirs);
    return holdsBoth(base, mySide, theirSide, merged, isWithin) ? merged : null;
  }

  /** Cut at the lines that both sides kept in every reading, so that each reading of the whole is one of each piece. */
  #mergePieces([mine, mySide]: [Int32Array, Side], [theirs, theirSide]: [Int32Array, Side]): number[] | null {
    const { base } = this;
    const [inMine, inTheirs] = [mySide.surelyKept, theirSide.surelyKept];
    const byOne = (offset: number) => (line: number, at: number) =>
      isDeletedByOne(mySide, theirSide, line, offset + at);
    const lines: number[] = [];
    const effort = startEffort();
    let [m, b, t] = [0, 0, 0];
    for (let at = 0; at <= base.length; at++) {
      const [cutM, cutT] = at < base.length ? [inMine[at] ?? -1, inTheirs[at] ?? -1] : [mine.length, theirs.length];
      if (cutM < 0 || cutT < 0) continue;
      if (cutM > m || at > b || cutT > t) {
        const piece = mergePiece(
          mine.subarray(m, cutM),
          base.subarray(b, at),
          theirs.subarray(t, cutT),
          effort,
          byOne(b),
        );
        if (!piece) return null;
        append(lines, piece);
      }
      append(lines, base.subarray(at, at + 1));
      [m, b, t] = [cutM + 1, at + 1, cutT + 1];
    }
    return lines;
  }

  #sideOf(changed: Int32Array): Side | null {
    let side = this.#sides.get(changed);
    if (side === undefined) {
      side = sideOf(this.base, changed, this.count);
      this.#sides.set(changed, side);
    }
    return side;
  }
}

function mergePiece(
  mine: Int32Array,
  base: Int32Array,
  theirs: Int32Array,
  effort: Effort,
  byOne: (line: number, at: number) => boolean,
): Numbers | null {
  if (equal(mine, base) || equal(mine, theirs)) return theirs;
  if (equal(theirs, base)) return mine;
  const { head, tail } = farEnds(mine, base, theirs);
  const [inMine, inBase, inTheirs] = [mine, base, theirs].map((lines) => lines.subarray(head, lines.length - tail));
  if (!inMine || !inBase || !inTheirs) return null;
  const merged = mergeReadings(inMine, inBase, inTheirs, effort, (line, at) => byOne(line, head + at));
  if (!merged || isGuess(inMine, inBase, inTheirs, merged)) return null;
  return append(append(Array.from(base.subarray(0, head)), merged), base.subarray(base.length - tail));
}

/** How many lines all three have at their ends, but for those nearest to where they differ. */
function farEnds(mine: Int32Array, base: Int32Array, theirs: Int32Array): { head: number; tail: number } {
  const shortest = Math.min(mine.length, base.length, theirs.length);
  let head = 0;
  while (head < shortest && mine[head] === base[head] && base[head] === theirs[head]) head++;
  let tail = 0;
  const atTail = (lines: Int32Array) => lines[lines.length - 1 - tail];
  while (tail < shortest - head && atTail(mine) === atTail(base) && atTail(base) === atTail(theirs)) tail++;
  return { head: Math.max(0, head - SLACK_LINES), tail: Math.max(0, tail - SLACK_LINES) };
}

/** Does git's way give another text? That happens only where lines repeat, and then one of the two is a guess. */
function isGuess(mine: Int32Array, base: Int32Array, theirs: Int32Array, merged: Numbers): boolean {
  if (!isComparable(base, mine) || !isComparable(base, theirs)) return false;
  const usual = mergeDiff3(Array.from(mine), Array.from(base), Array.from(theirs));
  return !usual.conflict && !equal(usual.result, merged);
}

/** Does diff3 take few enough steps? They are every pair of equal lines, times the length of their chains. */
function isComparable(base: Int32Array, changed: Int32Array): boolean {
  const shorter = Math.min(base.length, changed.length);
  if ((base.length + changed.length) * shorter > MAX_COST) return false;
  const counts = new Map<number, number>();
  for (const line of base) counts.set(line, (counts.get(line) ?? 0) + 1);
  const pairs = changed.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0);
  return (pairs + base.length + changed.length) * shorter <= MAX_COST;
}

function append(lines: number[], more: Numbers): number[] {
  for (let at = 0; at < more.length; at++) lines.push(more[at] ?? 0);
  return lines;
}
