// Which lines two texts have in common, in the ways that change the fewest lines (E. Myers' O(ND) comparison), and
// which of those all such ways have in common.

export interface Comparison {
  /** For each line of the base its place in the changed text, or -1, in one of these ways. */
  kept: Int32Array;
  /** The same for the lines that all these ways keep at the same place. */
  surelyKept: Int32Array;
}

/** Steps that a comparison may take, in lines and in diagonals: about a tenth of a second, and 16 MiB of memory. */
const MAX_STEPS = 40_000_000;
const MAX_REACHES = 4_000_000;

/** Compares two texts of `count` different lines; null where they differ in too much that both have. */
export function compare(base: Int32Array, changed: Int32Array, count: number): Comparison | null {
  // A line that only one of them has is changed in every way, so the search is for the others alone.
  const [inBase, inChanged] = [placesOfShared(base, changed, count), placesOfShared(changed, base, count)];
  const sharedOfBase = inBase.map((place) => base[place] ?? -1);
  const sharedOfChanged = inChanged.map((place) => changed[place] ?? -1);
  const search = new Search(sharedOfBase, sharedOfChanged);
  if (!search.isDone) return null;
  const kept = new Int32Array(base.length).fill(-1);
  const surelyKept = new Int32Array(base.length).fill(-1);
  // These two ways lie around all others: what both keep, all do.
  const [early, late] = [search.way(true), search.way(false)];
  early.forEach((place, index) => {
    const [at, found] = [inBase[index] ?? -1, inChanged[place] ?? -1];
    kept[at] = found;
    if (place === late[index]) surelyKept[at] = found;
  });
  return { kept, surelyKept };
}

/** The places of the lines that the other text has, too. */
function placesOfShared(lines: Int32Array, other: Int32Array, count: number): Int32Array {
  const has = new Uint8Array(count);
  for (const line of other) has[line] = 1;
  const places = new Int32Array(lines.length);
  let found = 0;
  for (let at = 0; at < lines.length; at++) if (has[lines[at] ?? -1] === 1) places[found++] = at;
  return places.subarray(0, found);
}

/** How far from the ends of both texts one gets with so many changed lines, on every diagonal; and the ways from there. */
class Search {
  readonly #reaches: Int32Array[] = [];
  readonly isDone: boolean;

  constructor(readonly base: Int32Array, readonly changed: Int32Array) {
    this.isDone = this.#run();
  }

  /** The way that deletes as early as it can and inserts late, or the other way round, as the kept lines' places. */
  way(deletesEarly: boolean): Int32Array {
    const { base, changed } = this;
    const kept = new Int32Array(base.length).fill(-1);
    let [x, y, changes] = [0, 0, this.#reaches.length - 1];
    while (x < base.length || y < changed.length) {
      if (changes === 0) {
        kept[x++] = y++;
        continue;
      }
      const deletes = x < base.length && this.#isEnough(changes - 1, x + 1, y);
      const inserts = y < changed.length && this.#isEnough(changes - 1, x, y + 1);
      const keeps = x < base.length && y < changed.length && base[x] === changed[y];
      if (deletesEarly ? deletes : !inserts && !keeps) [x, changes] = [x + 1, changes - 1];
      else if (deletesEarly ? !keeps : inserts) [y, changes] = [y + 1, changes - 1];
      else kept[x++] = y++;
    }
    return kept;
  }

  /** Are so many changes enough from this place to the ends? Their number is even or odd as the place demands. */
  #isEnough(changes: number, x: number, y: number): boolean {
    const left = this.base.length - x;
    const diagonal = left - (this.changed.length - y);
    if (Math.abs(diagonal) > changes) return false;
    return left <= (this.#reaches[changes]?.[(diagonal + changes) / 2] ?? -1);
  }

  #run(): boolean {
    const { base: { length: n }, changed: { length: m } } = this;
    let [steps, reaches] = [0, 0];
    let [last, secondLast] = [new Int32Array(), new Int32Array()];
    for (let changes = 0; steps <= MAX_STEPS && reaches <= MAX_REACHES; changes++) {
      // Every other one of the diagonals from -changes to changes.
      const now = new Int32Array(changes + 1).fill(-1);
      for (let at = 0; at <= changes; at++) {
        const diagonal = 2 * at - changes;
        let x = changes === 0 ? 0 : secondLast[at - 1] ?? -1;
        const [shorter, longer] = [last[at - 1] ?? -1, last[at] ?? -1];
        if (shorter >= x && shorter < n) x = shorter + 1;
        if (longer > x && longer - diagonal <= m) x = longer;
        if (x < 0) continue;
        const start = x;
        while (x < n && x - diagonal < m && this.base[n - 1 - x] === this.changed[m - 1 - x + diagonal]) x++;
        steps += x - start;
        now[at] = x;
      }
      this.#reaches.push(now);
      reaches += now.length;
      if ((n - m + changes) % 2 === 0 && this.#isEnough(changes, 0, 0)) return true;
      [secondLast, last] = [last, now];
    }
    return false;
  }
}
