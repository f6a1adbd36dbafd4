// What a reader waits for between two looks: a wake-up, or the time after which it looks anyway.
import { jittered } from "./pause.ts";
import type { Message } from "./channel.ts";

/** How long a reader trusts a joined topic, and how long it waits without one, in milliseconds. */
const LOOK_ANYWAY_MS = 30_000;
const POLL_MS = 2000;
const LOOK_AGAIN_MS = 100;

/** Collects wake-ups while nobody waits: any number of them is one, so that a slow reader costs no memory. */
export class Wakeup {
  isJoined = false;
  /** What the messages since the last look were about, for readers that can look at less; null: anything. */
  #events: Set<string> | null = null;
  #isAwake = true;
  #lookAgainMs = 0;
  /** When to look at everything, whatever came until then: messages of members may be many, and about nothing. */
  #dueAt = 0;
  #resolve: (() => void) | undefined;

  wake(message?: Message): void {
    if (!message) this.#events = null;
    else if (this.#isAwake) this.#events?.add(message.event);
    else this.#events = new Set([message.event]);
    this.#isAwake = true;
    this.#resolve?.();
  }

  /** Starts a look: answers what it is about; wake-ups from now on are for the next one. */
  begin(): ReadonlySet<string> | null {
    const about = this.#isAwake && performance.now() < this.#dueAt ? this.#events : null;
    this.#isAwake = false;
    this.#events = null;
    if (about === null) this.#dueAt = performance.now() + jittered(this.isJoined ? LOOK_ANYWAY_MS : POLL_MS);
    return about;
  }

  /**
   * Says whether something is there that the look could not be given: it has committed, but the horizon stands behind a
   * transaction that is still open. Until it is given, looks follow soon, then less often, at last as often as polls.
   */
  lookAgain(isBehind: boolean): void {
    this.#lookAgainMs = isBehind ? Math.min(this.#lookAgainMs * 2 || LOOK_AGAIN_MS, POLL_MS) : 0;
    if (isBehind) this.#dueAt = Math.min(this.#dueAt, performance.now() + this.#lookAgainMs);
  }

  /** Resolves when woken, or when it is time to look anyway. */
  wait(): Promise<void> {
    if (this.#isAwake) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, this.#dueAt - performance.now()));
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
