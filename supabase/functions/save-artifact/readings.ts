// The ways in which two changes of one text can be read as changes of different lines.
//
// Where lines repeat, a comparison cannot tell which of several equal lines was deleted or which an insertion stands
// beside, so what a side did has several readings: all that change the fewest lines, in the fewest stretches. This walks
// through the readings of both sides at once and keeps those in which no line was changed by both.

/** What may still be spent on looking, in places visited; pieces of one text share it. */
export interface Effort {
  left: number;
}

/** Enough for a tenth of a second or two. */
export const startEffort = (): Effort => ({ left: 400_000 });

/** Filling a cell of a table costs less than a visit. */
const CELLS_PER_VISIT = 10;
/** Deeper than this the walk might run out of stack. */
const MAX_LINES = 6_000;

/** Whose change is being walked through; `Both` is the same change made by both. */
const enum Open {
  None,
  Mine,
  Theirs,
  Both,
}

/** What has been changed since the last line that neither side touched, as bits. */
const enum Seen {
  Mine = 1,
  Theirs = 2,
  BothDeleted = 4,
  BothInserted = 8,
  /** One side inserted what the other did not. */
  OneInserted = 16,
}

/**
 * The one text of the readings in which most was done by both alike and, of those, fewest changes touch; `undefined`
 * where these give several texts, or there is too much to see; null where all readings change a line twice. A line
 * `isDeletedByOne` where the other side has it still, maybe elsewhere.
 */
export function mergeReadings(
  mine: Int32Array,
  base: Int32Array,
  theirs: Int32Array,
  effort: Effort,
  isDeletedByOne: (line: number, at: number) => boolean,
): number[] | null | undefined {
  effort.left -= base.length * (mine.length + theirs.length) / CELLS_PER_VISIT;
  if (effort.left < 0 || mine.length + base.length + theirs.length > MAX_LINES) return undefined;
  const texts = new Walk(new Changes(base, mine), new Changes(base, theirs), effort, isDeletedByOne).results();
  if (texts?.length === 0) return null;
  return texts?.length === 1 ? texts[0] : undefined;
}

/** More than any way costs, with a step's price on top. */
const IMPOSSIBLE = 2 ** 30;

/** The cheapest ways from one text to another: fewest changed lines first, then fewest stretches of them. */
class Changes {
  readonly #costs: [kept: Int32Array, changing: Int32Array];
  readonly #width: number;
  readonly #line: number;

  constructor(readonly base: Int32Array, readonly changed: Int32Array) {
    this.#width = changed.length + 1;
    this.#line = base.length + changed.length + 1;
    const size = (base.length + 1) * this.#width;
    this.#costs = [new Int32Array(size), new Int32Array(size)];
    for (let i = base.length; i >= 0; i--) {
      for (let j = changed.length; j >= 0; j--) {
        if (this.ends(i, j)) continue;
        const kept = this.#after(i, j, "keep");
        const change = Math.min(this.#after(i, j, "delete"), this.#after(i, j, "insert"));
        const at = i * this.#width + j;
        this.#costs[0][at] = Math.min(kept, change + this.#line + 1);
        this.#costs[1][at] = Math.min(kept, change + this.#line);
      }
    }
  }

  ends(i: number, j: number): boolean {
    return i === this.base.length && j === this.changed.length;
  }

  /** Is the step one of a cheapest way from here on? */
  allows(i: number, j: number, changing: boolean, step: Step): boolean {
    const price = step === "keep" ? 0 : this.#line + (changing ? 0 : 1);
    return this.#costs[changing ? 1 : 0][i * this.#width + j] === price + this.#after(i, j, step);
  }

  #after(i: number, j: number, step: Step): number {
    if (step !== "insert" && i === this.base.length || step !== "delete" && j === this.changed.length) {
      return IMPOSSIBLE;
    }
    if (step === "keep" && this.base[i] !== this.changed[j]) return IMPOSSIBLE;
    const at = (step === "insert" ? i : i + 1) * this.#width + (step === "delete" ? j : j + 1);
    return this.#costs[step === "keep" ? 0 : 1][at] ?? IMPOSSIBLE;
  }
}

type Step = "keep" | "delete" | "insert";

/** Where the walk is: a place in each text, whose change is open, and what the last step of each side was. */
interface State {
  i: number;
  j: number;
  k: number;
  open: Open;
  seen: number;
  /** Within a change deletions come first: one way to write each. */
  inserting: boolean;
  /** The change so far deletes nothing. */
  pure: boolean;
  mineChanging: boolean;
  theirsChanging: boolean;
}

/** What a step adds: a line of the merged text, and what counts for or against the reading. */
interface Cost {
  line?: number | undefined;
  worth?: number;
}

/** A text that ends here, shared by all that begin differently. */
interface Tail {
  line: number;
  rest: Tail | null;
}

/** The best ways on from a place; their texts are two at most, which is as good as more. */
interface Found {
  worth: number;
  tails: (Tail | null)[];
}

const NOTHING: Found = { worth: -Infinity, tails: [] };

/** A line changed by both alike is worth more than any number of changes that do not touch. */
const SHARED = MAX_LINES;

class Walk {
  readonly #known = new Map<number, Found>();
  readonly #tails = new Map<Tail | null, Map<number, Tail>>();

  constructor(
    readonly mine: Changes,
    readonly theirs: Changes,
    readonly effort: Effort,
    readonly isDeletedByOne: (line: number, at: number) => boolean,
  ) {}

  /** Different merged texts, two at most; null where looking would take too long. */
  results(): number[][] | null {
    const start = { i: 0, j: 0, k: 0, open: Open.None, seen: 0, inserting: false, pure: true };
    const { tails } = this.#from({ ...start, mineChanging: false, theirsChanging: false });
    if (this.effort.left < 0) return null;
    return tails.map((tail) => {
      const lines: number[] = [];
      for (; tail; tail = tail.rest) lines.push(tail.line);
      return lines;
    });
  }

  #from(state: State): Found {
    const key = this.#key(state);
    const known = this.#known.get(key);
    if (known) return known;
    if (--this.effort.left < 0) return NOTHING;
    const { i, j, k } = state;
    const tails = new Set<Tail | null>();
    let best = -Infinity;
    if (this.mine.ends(i, j) && this.theirs.ends(i, k) && mayClose(state)) {
      best = 0;
      tails.add(null);
    }
    for (const [next, { line, worth = 0 }] of this.#steps(state)) {
      const found = this.#from(next);
      if (found.worth + worth < best || found.tails.length === 0) continue;
      if (found.worth + worth > best) tails.clear();
      best = found.worth + worth;
      for (const rest of found.tails) tails.add(line === undefined ? rest : this.#tail(line, rest));
    }
    const found = { worth: best, tails: [...tails].slice(0, 2) };
    this.#known.set(key, found);
    return found;
  }

  *#steps(state: State): Generator<[State, Cost]> {
    const { i, j, k, open, seen, mineChanging, theirsChanging } = state;
    const mine = (step: Step) => this.mine.allows(i, j, mineChanging, step);
    const theirs = (step: Step) => this.theirs.allows(i, k, theirsChanging, step);
    const [lineJ, lineK] = [this.mine.changed[j], this.theirs.changed[k]];
    if (mine("keep") && theirs("keep") && mayClose(state)) {
      const kept = { i: i + 1, j: j + 1, k: k + 1, open: Open.None, seen: 0, inserting: false, pure: true };
      yield [{ ...kept, mineChanging: false, theirsChanging: false }, { line: this.mine.base[i] }];
    }
    for (const side of [Open.Both, Open.Mine, Open.Theirs]) {
      const continues = open === side;
      if (!continues && !mayBegin(state, side)) continue;
      const next = { ...state, open: side };
      const worth = (side === Open.Both ? SHARED : 0) - (continues || open === Open.None ? 0 : 1);
      if (side !== Open.Theirs) next.mineChanging = true;
      if (side !== Open.Mine) next.theirsChanging = true;
      if (!(continues && state.inserting)) {
        const deleted = { ...next, i: i + 1, inserting: false, pure: false };
        // Who deleted a line and who moved it did not do the same.
        const isShared = side === Open.Both && !this.isDeletedByOne(this.mine.base[i] ?? -1, i);
        if (isShared && mine("delete") && theirs("delete")) {
          yield [{ ...deleted, seen: seen | Seen.BothDeleted }, { worth }];
        }
        if (side === Open.Mine && mine("delete") && theirs("keep")) {
          yield [{ ...deleted, k: k + 1, theirsChanging: false, seen: seen | Seen.Mine }, { worth }];
        }
        if (side === Open.Theirs && theirs("delete") && mine("keep")) {
          yield [{ ...deleted, j: j + 1, mineChanging: false, seen: seen | Seen.Theirs }, { worth }];
        }
      }
      // Which of two insertions at one place comes first, nobody said.
      if (!continues && open !== Open.None && state.pure) continue;
      const inserted = { ...next, inserting: true, pure: continues ? state.pure : true };
      if (side === Open.Both && mine("insert") && theirs("insert") && lineJ === lineK) {
        yield [{ ...inserted, j: j + 1, k: k + 1, seen: seen | Seen.BothInserted }, { line: lineJ, worth }];
      }
      if (side === Open.Mine && mine("insert")) {
        yield [{ ...inserted, j: j + 1, seen: seen | Seen.Mine | Seen.OneInserted }, { line: lineJ, worth }];
      }
      if (side === Open.Theirs && theirs("insert")) {
        yield [{ ...inserted, k: k + 1, seen: seen | Seen.Theirs | Seen.OneInserted }, { line: lineK, worth }];
      }
    }
  }

  #key({ i, j, k, open, seen, inserting, pure, mineChanging, theirsChanging }: State): number {
    const place = (i * (this.mine.changed.length + 1) + j) * (this.theirs.changed.length + 1) + k;
    const flags = open * 16 + (inserting ? 8 : 0) + (pure ? 4 : 0) + (mineChanging ? 2 : 0) + (theirsChanging ? 1 : 0);
    return (place * 64 + flags) * 32 + seen;
  }

  #tail(line: number, rest: Tail | null): Tail {
    let lines = this.#tails.get(rest);
    if (!lines) this.#tails.set(rest, lines = new Map());
    let tail = lines.get(line);
    if (!tail) lines.set(line, tail = { line, rest });
    return tail;
  }
}

/** May a change of this side begin here? Where another has just ended it touches that one. */
function mayBegin({ open, seen, mineChanging, theirsChanging }: State, side: Open): boolean {
  // Beside what both did, one side may have done more; where both did, they replaced one text by two.
  if (side === Open.Both && seen & Seen.Mine && seen & Seen.Theirs) return false;
  const shared = seen & (Seen.BothDeleted | Seen.BothInserted);
  if (shared && (side === Open.Mine && seen & Seen.Theirs || side === Open.Theirs && seen & Seen.Mine)) return false;
  if (open === Open.None) return true;
  // Nothing begins amid a change of the other side.
  return open === Open.Both || !(open === Open.Mine ? theirsChanging : mineChanging);
}

/** A line that both deleted and one has others for is one that one deleted and the other changed. */
const mayClose = ({ seen }: State): boolean =>
  !(seen & Seen.BothDeleted) || !(seen & Seen.OneInserted) || (seen & Seen.BothInserted) > 0;
