// Three-way merge of texts by lines, in bounded time. A merge is taken only where it is the one that can have been
// meant: `docs/artifacts.md` says what that promises.
import { mergeDiff3 } from "node-diff3";
import { commonLines } from "./anchors.ts";
import { type Hunk, hunksOf, isComparable } from "./hunks.ts";
import { type Effort, mergeReadings, startEffort } from "./readings.ts";

export interface Merge {
  /** Both changes in one text, or null where they overlap or cannot be told apart. */
  merged: string | null;
  yours: Hunk[];
  theirs: Hunk[];
}

/** Merges what `mine` and `theirs` each changed in `base`. */
export function merge(mine: string, base: string, theirs: string): Merge {
  return { merged: mergeForGood(mine, base, theirs), yours: hunksOf(base, mine), theirs: hunksOf(base, theirs) };
}

/** A merge that either side may send once more, after a lost answer, without changing what came of it. */
function mergeForGood(mine: string, base: string, theirs: string): string | null {
  const merged = mergeTexts(mine, base, theirs);
  const isLasting = (side: string) => merged === null || (mergeTexts(side, base, merged) ?? merged) === merged;
  return isLasting(mine) && isLasting(theirs) ? merged : null;
}

function mergeTexts(one: string, base: string, other: string): string | null {
  // In an order of their own, so that it does not matter who was first, also where looking takes too long.
  const [mine, theirs] = one < other ? [one, other] : [other, one];
  // Line ends stand between lines and belong to none, so that a last line without one can be changed beside new ones.
  const texts = [mine, base, theirs];
  const end = texts.some((text) => /(?<!\r)\n/.test(text)) ? "\n" : "\r\n";
  const last = texts.every((text) => text.endsWith(end)) ? end : "";
  const linesOf = (text: string) =>
    text === "" && !base.endsWith(end) ? [] : text.slice(0, text.length - last.length).split(end);
  const lines = mergeLines(linesOf(mine), linesOf(base), linesOf(theirs));
  return lines && (lines.length === 0 ? "" : lines.join(end) + last);
}

function mergeLines(mine: string[], base: string[], theirs: string[]): string[] | null {
  if (equal(mine, base) || equal(mine, theirs)) return theirs;
  if (equal(theirs, base)) return mine;
  const merged = mergePieces(mine, base, theirs);
  return merged && isGuess(mine, base, theirs, merged) ? null : merged;
}

/** Cut at what all three surely have in common, texts of any size fall into pieces that can be compared. */
function mergePieces(mine: string[], base: string[], theirs: string[]): string[] | null {
  const parts: string[][] = [];
  const effort = startEffort();
  let [m, b, t] = [0, 0, 0];
  for (
    const [cutM, cutB, cutT] of [...commonLines(mine, base, theirs), [mine.length, base.length, theirs.length] as const]
  ) {
    const merged = mergePiece(mine.slice(m, cutM), base.slice(b, cutB), theirs.slice(t, cutT), effort);
    if (!merged) return null;
    parts.push(merged, base.slice(cutB, cutB + 1));
    [m, b, t] = [cutM + 1, cutB + 1, cutT + 1];
  }
  return parts.flat();
}

function mergePiece(mine: string[], base: string[], theirs: string[], effort: Effort): string[] | null {
  if (equal(mine, base) || equal(mine, theirs)) return theirs;
  if (equal(theirs, base)) return mine;
  const merged = mergeReadings(mine, base, theirs, effort);
  return merged && !isGuess(mine, base, theirs, merged) ? merged : null;
}

/** Does git's way give another text? That happens only where lines repeat, and then one of the two is a guess. */
function isGuess(mine: string[], base: string[], theirs: string[], merged: string[]): boolean {
  if (!isComparable(base, mine) || !isComparable(base, theirs)) return false;
  const usual = mergeDiff3(mine, base, theirs);
  return !usual.conflict && !equal(usual.result, merged);
}

/** Are they the same lines? */
const equal = (left: string[], right: string[]): boolean =>
  left.length === right.length && left.every((line, index) => line === right[index]);
