// Answers on their way. What is large is handed on as its reader takes it, is given up when nobody does, and counts to who
// asked for it until then: a hundred requests of a kilobyte, whose answers nobody read, took a process to 800 MB.
import { Pace } from "./pace.ts";

/** What smaller answers take does not count. */
const LARGE_BYTES = 262_144;
const CHUNK_BYTES = 65_536;

/**
 * The system takes megabytes ahead of the reader, and the next ones when a third of them is read: at thirty kilobytes a
 * second that takes two minutes, in which nothing seems to move.
 */
const PATIENCE_MS = 150_000;

/** One may be of any size; with several that are more together, their reader waits for the answer to anything else. */
const MAX_BYTES = 16_777_216;

const held = new Map<string, { count: number; bytes: number }>();
const listeners: (() => void)[] = [];

function move(holder: string | undefined, count: 1 | -1, bytes: number): void {
  if (holder === undefined) return;
  const known = held.get(holder) ?? { count: 0, bytes: 0 };
  const now = { count: known.count + count, bytes: known.bytes + count * bytes };
  if (now.count === 0) held.delete(holder);
  else held.set(holder, now);
  if (count === -1) { for (const listener of listeners) listener(); }
}

/** Workers, who have no name here, are trusted to read what they ask for. */
export const answers = {
  /** May one more be made for this person? */
  leaveRoom(holder: string | undefined): boolean {
    const { count, bytes } = held.get(holder ?? "") ?? { count: 0, bytes: 0 };
    return count < 2 || bytes < MAX_BYTES;
  },
  /** Has `listener` called whenever one has been read, or given up. */
  onRoom(listener: () => void): void {
    listeners.push(listener);
  },
};

/** A stream whose reader is given up when it takes nothing; the end of it, of whichever kind, is told once. */
function paced(
  next: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
  end: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let size = 0;
  let stop = () => {};
  const pace = new Pace(() => stop(), PATIENCE_MS);
  const finish = Promise.withResolvers<void>();
  finish.promise.then(end);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      stop = () => {
        // A text, as the runtime writes an error with its whole stack on the log.
        controller.error("Nobody read the answer.");
        finish.resolve();
      };
      pace.wait();
    },
    async pull(controller) {
      pace.moved(size);
      const chunk = await next().catch((error) => {
        finish.resolve();
        throw error;
      });
      if (!chunk) {
        finish.resolve();
        return controller.close();
      }
      size = chunk.byteLength;
      controller.enqueue(chunk);
      pace.wait();
    },
    cancel() {
      pace.moved(0);
      finish.resolve();
    },
  }, { highWaterMark: 0 });
}

/** What an answer that is a stream of its own sends, at the pace of who reads it. */
export function pacedStream(body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return paced(async () => (await reader.read()).value, () => void reader.cancel().catch(() => {}));
}

/** JSON as a body, and the header that a stream lacks. */
export function jsonBody(
  value: unknown,
  holder: () => string | undefined,
): { body: string | ReadableStream<Uint8Array<ArrayBuffer>>; headers: Record<string, string> } {
  const text = JSON.stringify(value);
  if (text.length < LARGE_BYTES) return { body: text, headers: {} };
  const bytes = new TextEncoder().encode(text);
  const size = bytes.byteLength;
  const whose = holder();
  move(whose, 1, size);
  let sent = 0;
  const next = () => {
    const chunk = bytes.slice(sent, sent + CHUNK_BYTES);
    sent += chunk.byteLength;
    return Promise.resolve(chunk.byteLength > 0 ? chunk : undefined);
  };
  const body = paced(next, () => {
    bytes.buffer.transfer(0);
    move(whose, -1, size);
  });
  return { body, headers: { "content-length": String(size) } };
}
