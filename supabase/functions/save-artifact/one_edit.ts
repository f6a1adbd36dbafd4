// Merges of two changes that are one stretch of the base each: they need no comparison of lines, so they are clean
// whatever lines repeat.

/** Both changes where each is one stretch of the base; null where one is not, or where they may not be put together. */
export function joinEdits(mine: string[], base: string[], theirs: string[]): string[] | null {
  const [yours, others] = [editOf(base, mine), editOf(base, theirs)];
  return joinApart(yours, others, base) ?? joinApart(others, yours, base) ?? joinTouching(yours, others, base);
}

/** Touching changes have many places only where nearly everything repeats; nobody needs a merge there. */
const MAX_PLACES = 100;

/**
 * The one stretch of the base outside which nothing was changed. Among lines that repeat it may lie in several places,
 * from `first` to `last`; which of them was meant cannot be told.
 */
interface Edit {
  changed: string[];
  first: number;
  last: number;
  /** How many lines it takes away, and how many it puts there. */
  removed: number;
  added: number;
}

function editOf(base: string[], changed: string[]): Edit {
  const shortest = Math.min(base.length, changed.length);
  let [head, tail] = [0, 0];
  while (head < shortest && base[head] === changed[head]) head++;
  while (tail < shortest && base.at(-1 - tail) === changed.at(-1 - tail)) tail++;
  const kept = Math.min(head + tail, shortest);
  return { changed, first: kept - tail, last: head, removed: base.length - kept, added: changed.length - kept };
}

/** Both where the one at its first place ends before the other at its last place begins, with a line between. */
function joinApart(first: Edit, second: Edit, base: string[]): string[] | null {
  return first.first + first.removed < second.last ? join(first, first.first, second, second.last, base) : null;
}

/** Both where they touch and only one text can come of it. */
function joinTouching(yours: Edit, theirs: Edit, base: string[]): string[] | null {
  let joined: string[] | null = null;
  let places = 0;
  for (const [first, second] of [[yours, theirs], [theirs, yours]] as const) {
    for (let from = first.first; from <= first.last; from++) {
      const to = from + first.removed;
      if (to < second.first || to > second.last) continue;
      // Which of two insertions at one place comes first, nobody said.
      if (first.removed === 0 && second.removed === 0 || ++places > MAX_PLACES) return null;
      const next = join(first, from, second, to, base);
      if (joined && !equal(joined, next)) return null;
      joined = next;
    }
  }
  return joined;
}

function join(first: Edit, from: number, second: Edit, to: number, base: string[]): string[] {
  return [
    ...first.changed.slice(0, from + first.added),
    ...base.slice(from + first.removed, to),
    ...second.changed.slice(to),
  ];
}

/** Are they the same lines? */
export const equal = (left: string[], right: string[]): boolean =>
  left.length === right.length && left.every((line, index) => line === right[index]);
