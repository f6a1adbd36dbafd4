// Texts as lines, and lines as numbers: equal lines have one number, so that texts of a megabyte are compared cheaply.

/** Lines by number, for texts that are compared with each other. */
export class Lines {
  readonly #numbers = new Map<string, number>();
  readonly #lines: string[] = [];

  /** How many different lines there are. */
  get count(): number {
    return this.#lines.length;
  }

  numbersOf(lines: string[]): Int32Array {
    const numbers = new Int32Array(lines.length);
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at] ?? "";
      let number = this.#numbers.get(line);
      if (number === undefined) {
        number = this.#lines.push(line) - 1;
        this.#numbers.set(line, number);
      }
      numbers[at] = number;
    }
    return numbers;
  }

  linesOf(numbers: ArrayLike<number>): string[] {
    return Array.from(numbers, (number) => this.#lines[number] ?? "");
  }
}

export const equal = (left: ArrayLike<unknown>, right: ArrayLike<unknown>): boolean => {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
};
