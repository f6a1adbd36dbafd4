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

/** Line ends stand between lines and belong to none; whether the last line has one is a matter of its own. */
interface Text {
  lines: Int32Array;
  /** A text without lines leaves it open. */
  ended: boolean | undefined;
}

/** A merge that either side may send once more, after a lost answer, without changing what came of it. */
function mergeForGood(one: string, base: string, other: string): string | null {
  if (one === base || one === other) return other;
  if (other === base) return one;
  // In an order of their own, so that it does not matter who was first, also where looking takes too long.
  const [mine, theirs] = one < other ? [one, other] : [other, one];
  const end = [mine, base, theirs].some((text) => /(?<!\r)\n/.test(text)) ? "\n" : "\r\n";
  const lines = new Lines();
  const read = (text: string): Text => {
    if (text === "") return { lines: new Int32Array(), ended: undefined };
    const ended = text.endsWith(end);
    return { lines: lines.numbersOf((ended ? text.slice(0, -end.length) : text).split(end)), ended };
  };
  const [mineText, baseText, theirsText] = [read(mine), read(base), read(theirs)];
  const merger = new LineMerger(baseText.lines, lines.count);
  const mergeTexts = (left: Text, right: Text): string | null => {
    const ended = mergeEnds(left.ended, baseText.ended, right.ended);
    const merged = ended === null ? null : merger.merge(left.lines, right.lines);
    return merged && lines.linesOf(merged).join(end) + (ended && merged.length > 0 ? end : "");
  };

  const merged = mergeTexts(mineText, theirsText);
  if (merged === null) return null;
  const mergedText = read(merged);
  const isLasting = (side: Text) => {
    if (equal(side.lines, mergedText.lines) && side.ended === mergedText.ended) return true;
    return (mergeTexts(side, mergedText) ?? merged) === merged;
  };
  return isLasting(mineText) && isLasting(theirsText) ? merged : null;
}

/** Does the last line have an end? null where there was none yet and the two differ. */
function mergeEnds(mine: Text["ended"], base: Text["ended"], theirs: Text["ended"]): Text["ended"] | null {
  const [left, right] = [mine ?? base, theirs ?? base];
  if (left === right || left === base) return right;
  return right === base ? left : null;
}
