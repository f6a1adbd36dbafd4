// Reads a body of bytes into one buffer again and again, since fresh ones pile up before the garbage collector runs.

/** Small, since what a read leaves behind for the collector is as large as the read: at 64 KiB it came to 30 MiB. */
const BUFFER_BYTES = 4096;

export interface ChunkReader {
  /** The next chunk, valid until the one after it is asked for; undefined at the end. */
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
  let buffer = new ArrayBuffer(BUFFER_BYTES);
  return {
    next: async () => {
      const { value } = await reader.read(new Uint8Array(buffer));
      if (!value?.byteLength) return undefined;
      buffer = value.buffer;
      return value;
    },
    cancel: () => reader.cancel().catch(() => {}),
  };
}
