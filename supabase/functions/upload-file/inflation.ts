// The library that looks at types inflates what is packed in a zip or a gzip, and stops after a mebibyte. But a
// DecompressionStream gives out what a chunk inflates to in one piece: an upload of a kilobyte took a gigabyte before it was
// refused. Here it is given its input bit by bit.

/** Deflate makes at most about a thousand bytes of one. */
const PIECE_BYTES = 1024;

const Inflation = globalThis.DecompressionStream;

class SparingInflation implements DecompressionStream {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<BufferSource>;

  constructor(format: CompressionFormat) {
    const pieces = new TransformStream<BufferSource, BufferSource>({
      transform(chunk, controller) {
        const bytes = ArrayBuffer.isView(chunk)
          ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
          : new Uint8Array(chunk);
        for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
          controller.enqueue(bytes.subarray(at, at + PIECE_BYTES));
        }
      },
    });
    this.writable = pieces.writable;
    this.readable = pieces.readable.pipeThrough(new Inflation(format));
  }
}

// The library takes the global one, and no other. A host that does not let it be replaced is left as it is.
Reflect.set(globalThis, "DecompressionStream", SparingInflation);
