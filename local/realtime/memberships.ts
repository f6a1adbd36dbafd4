// Ends the private channels of people who have lost what let them in. Stricter than the platform, which asks its policies
// again only when a token is renewed: here a removed member hears nothing more after seconds at most.
import type { Hub } from "./hub.ts";

const EVERY_MS = 5000;
/** A row that is deleted may have been a membership: that is looked at soon, and once for many. */
const SOON_MS = 20;

export class Memberships {
  #soon: ReturnType<typeof setTimeout> | undefined;
  #isLooking = false;
  /** Also while it looks: whoever was looked at before that is looked at once more. */
  #isDue = false;
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

  #look(): void {
    this.#isDue = true;
    if (!this.#isLooking) void this.#lookWhileDue();
  }

  async #lookWhileDue(): Promise<void> {
    this.#isLooking = true;
    while (this.#isDue) {
      this.#isDue = false;
      await this.#askAll();
    }
    this.#isLooking = false;
  }

  async #askAll(): Promise<void> {
    const channels = [...this.hub.all()].filter((channel) => channel.isPrivate);
    // A few at a time: joins and changes ask the same database.
    for (let start = 0; start < channels.length; start += 4) {
      const some = channels.slice(start, start + 4).map((channel) => channel.recheck());
      for (const result of await Promise.allSettled(some)) {
        if (result.status === "rejected") this.log(`realtime: ${result.reason}`);
      }
    }
  }
}
