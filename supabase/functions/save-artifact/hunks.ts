// What a side changed, stretch by stretch, for people who have to decide a conflict.
import { compare } from "./compare.ts";
import { Lines } from "./texts.ts";

/** A change to the base: `buffer1` is the base's side of it, `buffer2` the new one; offsets and lengths in lines. */
export interface Hunk {
  buffer1: { offset: number; length: number; chunk: string[] };
  buffer2: { offset: number; length: number; chunk: string[] };
}

/** Lines with their ends, so that joining them gives the text back. */
const linesOf = (text: string) => text === "" ? [] : text.split(/(?<=\n)/);

/** What `changed` has instead of `base`; one hunk where they differ in too much to be compared. */
export function hunksOf(baseText: string, changedText: string): Hunk[] {
  const [base, changed] = [linesOf(baseText), linesOf(changedText)];
  const lines = new Lines();
  const [baseNumbers, changedNumbers] = [lines.numbersOf(base), lines.numbersOf(changed)];
  const kept = compare(baseNumbers, changedNumbers, lines.count)?.kept ?? commonEnds(baseNumbers, changedNumbers);
  const side = (all: string[], offset: number, end: number) => (
    { offset, length: end - offset, chunk: all.slice(offset, end) }
  );
  const hunks: Hunk[] = [];
  let [b, c] = [0, 0];
  for (let at = 0; at <= base.length; at++) {
    const place = at === base.length ? changed.length : kept[at] ?? -1;
    if (place < 0) continue;
    if (at > b || place > c) hunks.push({ buffer1: side(base, b, at), buffer2: side(changed, c, place) });
    [b, c] = [at + 1, place + 1];
  }
  return hunks;
}

/** The places of the lines that both begin and end with; -1 for the others. */
function commonEnds(base: Int32Array, changed: Int32Array): Int32Array {
  const kept = new Int32Array(base.length).fill(-1);
  const shorter = Math.min(base.length, changed.length);
  let head = 0;
  for (; head < shorter && base[head] === changed[head]; head++) kept[head] = head;
  for (let tail = 1; tail <= shorter - head && base.at(-tail) === changed.at(-tail); tail++) {
    kept[base.length - tail] = changed.length - tail;
  }
  return kept;
}
