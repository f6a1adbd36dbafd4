// Reads a body of bytes into the same few buffers again and again, since fresh ones pile up before the garbage collector runs.

/** Small, since what a read leaves behind for the collector is as large as the read: at 64 KiB it came to 30 MiB. */
const BUFFER_BYTES = 4096;
/**
 * What a form has beside fields and files the parser drops some ticks later. Bytes that are gone by then, as the next read
 * took their buffer, never end for it: the request hung, and so did a file behind them.
 */
const BUFFERS = 4;

export interface ChunkReader {
  /** The next chunk, valid while the three after it are read; undefined at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Stops reading; what has not been read is dropped. */
  cancel(): Promise<void>;
}

/** Opens a body for reading. */
export function openBody(body: ReadableStream<Uint8Array>): ChunkReader {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch { // Not a byte stream: its chunks are its own.
    const plain = body.getReader();
    return { next: async () => (await plain.read()).value, cancel: () => plain.cancel().catch(() => {}) };
  }
  const buffers = Array.from({ length: BUFFERS }, () => new ArrayBuffer(BUFFER_BYTES));
  let reads = 0;
  return {
    next: async () => {
      const at = reads++ % BUFFERS;
      const { value } = await reader.read(new Uint8Array(buffers[at] ?? new ArrayBuffer(BUFFER_BYTES)));
      if (!value?.byteLength) return undefined;
      buffers[at] = value.buffer;
      return value;
    },
    cancel: () => reader.cancel().catch(() => {}),
  };
}
