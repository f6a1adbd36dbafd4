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

/**
 * The one text that all readings give which leave a line between any two changes of different sides; where there are
 * none, the one that those give in which changes touch. Null where there are several texts, or none, or too much to see.
 */
export function mergeReadings(mine: string[], base: string[], theirs: string[], effort: Effort): string[] | null {
  effort.left -= base.length * (mine.length + theirs.length) / CELLS_PER_VISIT;
  if (effort.left < 0 || mine.length + base.length + theirs.length > MAX_LINES) return null;
  const [yours, others] = [new Changes(base, mine), new Changes(base, theirs)];
  const results = (rules: Rules) => new Walk(yours, others, rules, effort).results();
  const apart = results({ mayTouch: false, mayShare: true });
  if (apart?.length !== 0 && apart?.length !== 1) return null;
  // A change that both made may also be two changes, of lines that are equal; then it is not told what is meant.
  if (apart[0] && results({ mayTouch: false, mayShare: false })?.length === 1) return apart[0];
  const touching = results({ mayTouch: true, mayShare: true });
  return touching?.length === 1 && touching[0] ? touching[0] : null;
}

interface Rules {
  /** May a change of one side begin where one of the other ends? */
  mayTouch: boolean;
  /** May both have made the same change? */
  mayShare: boolean;
}

/** The cheapest ways from one text to another: fewest changed lines first, then fewest stretches of them. */
class Changes {
  readonly #costs: [kept: Float64Array, changing: Float64Array];
  readonly #width: number;
  readonly #line: number;

  constructor(readonly base: string[], readonly changed: string[]) {
    this.#width = changed.length + 1;
    this.#line = base.length + changed.length + 1;
    const size = (base.length + 1) * this.#width;
    this.#costs = [new Float64Array(size), new Float64Array(size)];
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
    if (step !== "insert" && i === this.base.length || step !== "delete" && j === this.changed.length) return Infinity;
    if (step === "keep" && this.base[i] !== this.changed[j]) return Infinity;
    const at = (step === "insert" ? i : i + 1) * this.#width + (step === "delete" ? j : j + 1);
    return this.#costs[step === "keep" ? 0 : 1][at] ?? Infinity;
  }
}

type Step = "keep" | "delete" | "insert";

/** Where the walk is: a place in each text, whose change is open, and what the last step of each side was. */
interface State {
  i: number;
  j: number;
  k: number;
  open: Open;
  /** Within a change deletions come first: one way to write each. */
  inserting: boolean;
  /** The change so far deletes nothing. */
  pure: boolean;
  mineChanging: boolean;
  theirsChanging: boolean;
}

/** A text that ends here, shared by all that begin differently. */
interface Tail {
  line: string;
  rest: Tail | null;
}

class Walk {
  readonly #known = new Map<number, (Tail | null)[]>();
  readonly #tails = new Map<Tail | null, Map<string, Tail>>();

  constructor(readonly mine: Changes, readonly theirs: Changes, readonly rules: Rules, readonly effort: Effort) {}

  /** Different merged texts, two at most; null where looking would take too long. */
  results(): string[][] | null {
    const start = { i: 0, j: 0, k: 0, open: Open.None, inserting: false, pure: true };
    const tails = this.#from({ ...start, mineChanging: false, theirsChanging: false });
    if (this.effort.left < 0) return null;
    return tails.map((tail) => {
      const lines: string[] = [];
      for (; tail; tail = tail.rest) lines.push(tail.line);
      return lines;
    });
  }

  #from(state: State): (Tail | null)[] {
    const key = this.#key(state);
    const known = this.#known.get(key);
    if (known) return known;
    if (--this.effort.left < 0) return [];
    const { i, j, k } = state;
    const found = new Set<Tail | null>();
    this.#known.set(key, []);
    if (this.mine.ends(i, j) && this.theirs.ends(i, k)) found.add(null);
    for (const [next, line] of this.#steps(state)) {
      if (found.size > 1) break;
      for (const rest of this.#from(next)) found.add(line === undefined ? rest : this.#tail(line, rest));
    }
    const two = [...found].slice(0, 2);
    this.#known.set(key, two);
    return two;
  }

  *#steps(state: State): Generator<[State, string?]> {
    const { i, j, k, open, mineChanging, theirsChanging } = state;
    const mine = (step: Step) => this.mine.allows(i, j, mineChanging, step);
    const theirs = (step: Step) => this.theirs.allows(i, k, theirsChanging, step);
    const [lineJ, lineK] = [this.mine.changed[j], this.theirs.changed[k]];
    const kept = { i: i + 1, j: j + 1, k: k + 1, inserting: false, pure: true };
    if (mine("keep") && theirs("keep")) {
      yield [{ ...kept, open: Open.None, mineChanging: false, theirsChanging: false }, this.mine.base[i]];
    }
    const fresh = open === Open.None && !mineChanging && !theirsChanging;
    if (this.rules.mayShare && (fresh || open === Open.Both)) {
      const both = { ...state, open: Open.Both, mineChanging: true, theirsChanging: true };
      if (!state.inserting && mine("delete") && theirs("delete")) yield [{ ...both, i: i + 1, pure: false }];
      if (mine("insert") && theirs("insert") && lineJ === lineK) {
        yield [{ ...both, j: j + 1, k: k + 1, inserting: true }, lineJ];
      }
    }
    if (this.#mayChange(state, Open.Mine)) {
      const continues = open === Open.Mine;
      const next = { ...state, open: Open.Mine, mineChanging: true };
      if (!(continues && state.inserting) && mine("delete") && theirs("keep")) {
        yield [{ ...next, i: i + 1, k: k + 1, inserting: false, pure: false, theirsChanging: false }];
      }
      if ((continues || open === Open.None || !state.pure) && mine("insert")) {
        yield [{ ...next, j: j + 1, inserting: true, pure: continues ? state.pure : true }, lineJ];
      }
    }
    if (this.#mayChange(state, Open.Theirs)) {
      const continues = open === Open.Theirs;
      const next = { ...state, open: Open.Theirs, theirsChanging: true };
      if (!(continues && state.inserting) && theirs("delete") && mine("keep")) {
        yield [{ ...next, i: i + 1, j: j + 1, inserting: false, pure: false, mineChanging: false }];
      }
      if ((continues || open === Open.None || !state.pure) && theirs("insert")) {
        yield [{ ...next, k: k + 1, inserting: true, pure: continues ? state.pure : true }, lineK];
      }
    }
  }

  /** May this side's change begin or go on here? One that begins where the other's has just ended touches it. */
  #mayChange({ open, mineChanging, theirsChanging }: State, side: Open): boolean {
    if (open === side) return true;
    if (open === Open.Both) return false;
    if (open === Open.None) return true;
    return this.rules.mayTouch && !(side === Open.Mine ? mineChanging : theirsChanging);
  }

  #key({ i, j, k, open, inserting, pure, mineChanging, theirsChanging }: State): number {
    const place = (i * (this.mine.changed.length + 1) + j) * (this.theirs.changed.length + 1) + k;
    const flags = open * 16 + (inserting ? 8 : 0) + (pure ? 4 : 0) + (mineChanging ? 2 : 0) + (theirsChanging ? 1 : 0);
    return place * 64 + flags;
  }

  #tail(line: string, rest: Tail | null): Tail {
    let lines = this.#tails.get(rest);
    if (!lines) this.#tails.set(rest, lines = new Map());
    let tail = lines.get(line);
    if (!tail) lines.set(line, tail = { line, rest });
    return tail;
  }
}
