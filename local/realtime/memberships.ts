// Ends the private channels of people who have lost what let them in. Stricter than the platform, which asks its policies
// again only when a token is renewed: here a removed member hears nothing more after seconds at most.
import type { Hub } from "./hub.ts";

const EVERY_MS = 5000;
/** A row that is deleted may have been a membership: that is looked at soon, and once for many. */
const SOON_MS = 20;

export class Memberships {
  #soon: ReturnType<typeof setTimeout> | undefined;
  readonly #regular: ReturnType<typeof setInterval>;

  constructor(private readonly hub: Hub, private readonly log: (line: string) => void) {
    this.#regular = setInterval(() => this.#look(), EVERY_MS);
  }

  mayHaveChanged(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#look();
    }, SOON_MS);
  }

  stop(): void {
    clearInterval(this.#regular);
    clearTimeout(this.#soon);
  }

  /** Of each that does not wait for it already; they take turns by person. */
  #look(): void {
    for (const channel of [...this.hub.all()]) {
      channel.recheck().catch((thrown) => this.log(`realtime: ${thrown}`));
    }
  }
}
