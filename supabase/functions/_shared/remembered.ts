// What was worked out for a text that a caller sent, kept for a while. However many callers send however many texts, it takes
// some megabytes and no more.

const MAX_KEPT = 500;

/** Longer texts, in characters, are not kept: a header may have tens of kilobytes, and a token is valid with any spaces in it. */
const MAX_LENGTH = 8192;

export class Remembered<Value> {
  readonly #kept = new Map<string, { until: number; value: Value }>();

  get(text: string): Value | undefined {
    const known = this.#kept.get(text);
    return known && known.until > Date.now() ? known.value : undefined;
  }

  /** `until` in milliseconds since 1970. */
  set(text: string, value: Value, until: number): void {
    if (text.length > MAX_LENGTH) return;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(text, { until, value });
  }
}
