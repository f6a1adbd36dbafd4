// Where three texts surely agree: there they are cut, so that what lies between can be merged piece by piece.

export type Cut = readonly [mine: number, base: number, theirs: number];

/** This many lines of the common ends stay uncut: a change among lines that repeat may also be read as one further out. */
const SLACK_LINES = 300;

/** Where all three texts surely agree: their common ends, and between those the lines each has once, in one order. */
export function commonLines(mine: string[], base: string[], theirs: string[]): Cut[] {
  const shortest = Math.min(mine.length, base.length, theirs.length);
  let head = 0;
  while (head < shortest && mine[head] === base[head] && base[head] === theirs[head]) head++;
  let tail = 0;
  while (
    tail < shortest - head && mine.at(-1 - tail) === base.at(-1 - tail) && base.at(-1 - tail) === theirs.at(-1 - tail)
  ) tail++;
  [head, tail] = [Math.max(0, head - SLACK_LINES), Math.max(0, tail - SLACK_LINES)];
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

export function countLines(lines: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
