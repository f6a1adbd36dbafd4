// Three-way merge of texts by lines, in bounded time. A merge is taken only where it is the one that can have been
// meant: `docs/artifacts.md` says what that promises.
import { type Hunk, hunksOf } from "./hunks.ts";
import { LineMerger } from "./merge_lines.ts";
import { equal, Lines } from "./texts.ts";

export interface Merge {
  /** Both changes in one text, or null where they overlap or cannot be told apart. */
  merged: string | null;
  /** What each side changed; worked out when asked for. */
  hunks: () => { yours: Hunk[]; theirs: Hunk[] };
}

/** Merges what `mine` and `theirs` each changed in `base`. */
export function merge(mine: string, base: string, theirs: string): Merge {
  return {
    merged: mergeForGood(mine, base, theirs),
    hunks: () => ({ yours: hunksOf(base, mine), theirs: hunksOf(base, theirs) }),
  };
}

/** Line ends stand between lines and belong to none; which one the last line has, if any, is a matter of its own. */
interface Text {
  lines: Int32Array;
  /** `""` where the last line has none. A text without lines leaves it open. */
  end: string | undefined;
}

/** A merge that either side may send once more, after a lost answer, without changing what came of it. */
function mergeForGood(one: string, base: string, other: string): string | null {
  if (one === base || one === other) return other;
  if (other === base) return one;
  // In an order of their own, so that it does not matter who was first, also where looking takes too long.
  const [mine, theirs] = one < other ? [one, other] : [other, one];
  const between = [mine, base, theirs].some((text) => /(?<!\r)\n/.test(text)) ? "\n" : "\r\n";
  const lines = new Lines();
  const read = (text: string): Text => {
    if (text === "") return { lines: new Int32Array(), end: undefined };
    const last = text.endsWith("\r\n") ? "\r\n" : text.endsWith("\n") ? "\n" : "";
    return { lines: lines.numbersOf(text.slice(0, text.length - last.length).split(between)), end: last };
  };
  const [mineText, baseText, theirsText] = [read(mine), read(base), read(theirs)];
  const merger = new LineMerger(baseText.lines, lines.count);
  const mergeTexts = (left: Text, right: Text): string | null => {
    const end = mergeEnds(left.end, baseText.end, right.end);
    const merged = end === null ? null : merger.merge(left.lines, right.lines);
    return merged && lines.linesOf(merged).join(between) + (merged.length > 0 ? end ?? "" : "");
  };

  const merged = mergeTexts(mineText, theirsText);
  if (merged === null) return null;
  const mergedText = read(merged);
  const isLasting = (side: Text) => {
    if (equal(side.lines, mergedText.lines) && side.end === mergedText.end) return true;
    return (mergeTexts(side, mergedText) ?? merged) === merged;
  };
  return isLasting(mineText) && isLasting(theirsText) ? merged : null;
}

/** The end of the last line; null where both sides changed it, each in another way. */
function mergeEnds(mine: Text["end"], base: Text["end"], theirs: Text["end"]): Text["end"] | null {
  const [left, right] = [mine ?? base, theirs ?? base];
  if (left === right || left === base) return right;
  return right === base ? left : null;
}
