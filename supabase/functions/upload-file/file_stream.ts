// The bytes of a file on their way from the form to Storage: counted, hashed, limited, and only a little of them held.
//
// A chunk that the reader has had is given back at once by detaching it. Left to the garbage collector, chunks pile up
// to some ninety megabytes before it sees a reason to run.
import { createHash } from "node:crypto";
import { OperationError } from "../_shared/errors.ts";

/** Enough for what tells types apart, also inside a zip, and behind the 32 KiB that a disk's image begins with. */
export const SAMPLE_BYTES = 65_536;
/** Chunks go out in one size, so that the memory of one serves the next. */
const CHUNK_BYTES = 65_536;

export class FileStream {
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  readonly #hash = createHash("sha256");
  readonly #sample = Promise.withResolvers<Uint8Array>();
  #filling = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  #size = 0;
  #head = new Uint8Array(SAMPLE_BYTES);
  #state: "open" | "closed" | Error = "open";
  #wakeReader = () => {};
  #wakeWriter = () => {};

  constructor(readonly maxBytes: number) {
    this.#sample.promise.catch(() => {});
  }

  /** The first bytes, all of them where the file has fewer; fails with the stream. */
  get sample(): Promise<Uint8Array> {
    return this.#sample.promise;
  }

  /** Why the stream broke, if it did. */
  get failure(): Error | null {
    return this.#state instanceof Error ? this.#state : null;
  }

  /** Takes a copy of the chunk. One byte over the limit breaks the stream with `payload_too_large`. */
  write(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    const before = this.#size;
    this.#size += chunk.byteLength;
    if (this.#size > this.maxBytes) {
      return this.fail(new OperationError("payload_too_large", `A file may have at most ${this.maxBytes} bytes.`));
    }
    this.#hash.update(chunk);
    if (before < SAMPLE_BYTES) {
      this.#head.set(chunk.subarray(0, SAMPLE_BYTES - before), before);
      if (this.#size >= SAMPLE_BYTES) this.#sample.resolve(this.#head);
    }
    for (let taken = 0; taken < chunk.byteLength;) {
      const part = chunk.subarray(taken, taken + CHUNK_BYTES - this.#filled);
      this.#filling.set(part, this.#filled);
      taken += part.byteLength;
      this.#filled += part.byteLength;
      if (this.#filled < CHUNK_BYTES) break;
      this.#queue.push(this.#filling);
      this.#filling = new Uint8Array(CHUNK_BYTES);
      this.#filled = 0;
      this.#wakeReader();
    }
  }

  /** Has the reader to catch up first? */
  get isFull(): boolean {
    return this.#state === "open" && this.#queue.length > 1;
  }

  /** Resolves when there is room for more, or nobody to take it. */
  async hasRoom(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => this.#wakeWriter = resolve);
  }

  /** All bytes have come, and nothing around them was wrong. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closed";
    this.#sample.resolve(this.#head.subarray(0, this.#size));
    if (this.#filled > 0) this.#queue.push(this.#filling.subarray(0, this.#filled));
    this.#wakeReader();
  }

  /** Breaks the stream: what was sent of it must not stay. */
  fail(error: Error): void {
    if (this.#state !== "open") return;
    this.#state = error;
    this.#sample.reject(error);
    this.#wakeReader();
    this.#wakeWriter();
  }

  /** Size in bytes and sha256 in hexadecimal of what came; asked once, after the end. */
  measure(): { size: number; sha256: string } {
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }

  /** The bytes for one reader, who has used a chunk up when asking for the next. */
  readable(): ReadableStream<Uint8Array> {
    let lent: Uint8Array<ArrayBuffer> | undefined;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        lent?.buffer.transfer(0);
        lent = undefined;
        while (this.#state === "open" && this.#queue.length === 0) {
          await new Promise<void>((resolve) => this.#wakeReader = resolve);
        }
        if (this.#state instanceof Error) throw this.#state;
        lent = this.#queue.shift();
        if (!lent) return controller.close();
        controller.enqueue(lent);
        this.#wakeWriter();
      },
      cancel: (reason) => this.fail(reason instanceof Error ? reason : new Error("The reader of the file went away.")),
    }, { highWaterMark: 0 });
  }
}
