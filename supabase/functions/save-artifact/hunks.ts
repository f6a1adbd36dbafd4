// What a side changed, stretch by stretch, for people who have to decide a conflict.
import { diffPatch } from "node-diff3";
import { commonLines, countLines } from "./anchors.ts";

/** A change to the base: `buffer1` is the base's side of it, `buffer2` the new one; offsets and lengths in lines. */
export interface Hunk {
  buffer1: { offset: number; length: number; chunk: string[] };
  buffer2: { offset: number; length: number; chunk: string[] };
}

/** Steps that node-diff3 may take for one piece, whose cost grows with the square of it; about a tenth of a second. */
const MAX_COST = 5_000_000;

/** Lines with their ends, so that joining them gives the text back. */
const linesOf = (text: string) => text === "" ? [] : text.split(/(?<=\n)/);

/** What `changed` has instead of `base`. */
export function hunksOf(baseText: string, changedText: string): Hunk[] {
  const [base, changed] = [linesOf(baseText), linesOf(changedText)];
  let [b, c] = [0, 0];
  return [...commonLines(base, base, changed), [base.length, base.length, changed.length] as const]
    .flatMap(([, cutB, cutC]) => {
      const hunks = hunksOfPiece(base.slice(b, cutB), changed.slice(c, cutC), b, c);
      [b, c] = [cutB + 1, cutC + 1];
      return hunks;
    });
}

function hunksOfPiece(base: string[], changed: string[], baseOffset: number, changedOffset: number): Hunk[] {
  const whole = [{
    buffer1: { offset: 0, length: base.length, chunk: base },
    buffer2: { offset: 0, length: changed.length, chunk: changed },
  }];
  const hunks = isComparable(base, changed) ? diffPatch(base, changed) : whole;
  return hunks.map(({ buffer1, buffer2 }) => ({
    buffer1: { ...buffer1, offset: buffer1.offset + baseOffset },
    buffer2: { ...buffer2, offset: buffer2.offset + changedOffset },
  }));
}

/** Does a comparison take few enough steps? They are every pair of equal lines, times the length of their chains. */
export function isComparable(base: string[], changed: string[]): boolean {
  const counts = countLines(base);
  const pairs = changed.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0);
  return (pairs + base.length + changed.length) * Math.min(base.length, changed.length) <= MAX_COST;
}
