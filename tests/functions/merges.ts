// Bases and changes made at random, for what must hold for all merges.

/** The same numbers at every run, so that a failure can be seen again. */
export function randomizer(seed: number): (below: number) => number {
  return (below) => {
    seed = seed + 0x6d2b79f5 | 0;
    let bits = Math.imul(seed ^ seed >>> 15, 1 | seed);
    bits = bits + Math.imul(bits ^ bits >>> 7, 61 | bits) ^ bits;
    return Math.floor(((bits ^ bits >>> 14) >>> 0) / 2 ** 32 * below);
  };
}

export const text = (lines: string[]): string => lines.map((line) => `${line}\n`).join("");

export interface Change {
  from: number;
  to: number;
  lines: string[];
}

/** The base with all changes made; they are in order and apart. */
export function apply(base: string[], changes: Change[]): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const { from, to, lines } of changes) {
    parts.push(...base.slice(at, from), ...lines);
    at = to;
  }
  return [...parts, ...base.slice(at)];
}

/** Changes in order with at least one untouched line of the base between any two; new lines are like no other. */
export function makeChanges(random: (below: number) => number, size: number, most: number): Change[] {
  const changes: Change[] = [];
  let at = 0;
  while (changes.length < most) {
    const change = makeChange(random, at + random(4));
    if (change.to > size) break;
    changes.push(change);
    at = change.to + 1;
  }
  return changes;
}

function makeChange(random: (below: number) => number, from: number): Change {
  const to = from + random(3);
  const size = to === from ? 1 + random(2) : random(3);
  return { from, to, lines: Array.from({ length: size }, () => `new ${random(1_000_000_000)}`) };
}

export interface SidedChange extends Change {
  side: number;
}

/** Changes of both sides that overlap nowhere: some begin where one of the other side ends, but for two insertions. */
export function makeTouching(random: (below: number) => number, size: number, most: number): SidedChange[] {
  const changes: SidedChange[] = [];
  /** Up to where each side has changed the base already. */
  const ends = [-1, -1];
  while (changes.length < most) {
    const [side, last] = [random(2), changes.at(-1)];
    const change = makeChange(random, (last?.to ?? 0) + random(3));
    if (change.to > size) break;
    const isSame = last?.from === last?.to && change.from === change.to && last?.from === change.from;
    if (isSame || ends[side] === change.from) continue;
    changes.push({ ...change, side });
    ends[side] = change.to;
  }
  return changes;
}
