// Whoever sends a body, or takes an answer, has something of the process held meanwhile: a place, or the memory for it.
// So they are waited for, but not for ever, and who goes on in drops gains no time by it.

/** How long nothing of a body may come, in milliseconds: what is usual among servers, for phones on bad lines. */
const PATIENCE_MS = 60_000;

/** The same where others wait for what is held meanwhile. */
const HURRY_MS = 10_000;

/** What moves brings back that much of the patience: at four bytes in a millisecond nobody is ever given up. */
const BYTES_PER_MS = 4;

const LOOK_MS = 1000;
const waiting = new Set<Pace>();
let looking: ReturnType<typeof setInterval> | undefined;

/** One timer for all: one for each chunk of each body would cost more than the chunk. */
function look(): void {
  for (const pace of waiting) pace.look();
  if (waiting.size > 0) return;
  clearInterval(looking);
  looking = undefined;
}

/** How the other side keeps up. Only the time in which it is waited for counts. */
export class Pace {
  #patience: number;
  #since = 0;
  isLate = false;

  /**
   * @param giveUp is called once, when they are too late
   * @param isHurried do others wait for what is held meanwhile?
   */
  constructor(readonly giveUp: () => void, readonly patience = PATIENCE_MS, readonly isHurried = () => false) {
    this.#patience = patience;
  }

  /** From here on the other side is waited for. */
  wait(): void {
    this.#since = performance.now();
    waiting.add(this);
    looking ??= setInterval(look, LOOK_MS);
  }

  /** So many bytes have moved, or none will any more; nobody is waited for. */
  moved(bytes: number): void {
    if (!waiting.delete(this)) return;
    const waited = performance.now() - this.#since;
    this.#patience = Math.min(this.patience, this.#patience - waited + bytes / BYTES_PER_MS);
  }

  look(): void {
    const patience = this.isHurried() ? Math.min(this.#patience, HURRY_MS) : this.#patience;
    if (performance.now() - this.#since <= patience) return;
    waiting.delete(this);
    this.isLate = true;
    this.giveUp();
  }
}
