// Who waits for the policies takes turns by person: however many channels one has, another's next question comes after one
// of each.
import type { Caller } from "../caller.ts";

/** Whose turn it is when a caller asks; all without an account are one. */
export const personOf = ({ role, claims }: Caller): string => typeof claims.sub === "string" ? claims.sub : role;

export class Turns {
  /** By person, in the order in which their turns come. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #free: number;

  /** @param places how many may ask at once */
  constructor(places: number) {
    this.#free = places;
  }

  async take<T>(person: string, ask: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((begin) => this.#wait(person, begin));
    try {
      return await ask();
    } finally {
      this.#next();
    }
  }

  #wait(person: string, begin: () => void): void {
    const others = this.#waiting.get(person);
    if (others) others.push(begin);
    else this.#waiting.set(person, [begin]);
  }

  /** Gives a place on to who is next, or back. */
  #next(): void {
    const [first] = this.#waiting;
    if (!first) {
      this.#free++;
      return;
    }
    const [person, questions] = first;
    const begin = questions.shift();
    this.#waiting.delete(person);
    if (questions.length > 0) this.#waiting.set(person, questions);
    begin?.();
  }
}
