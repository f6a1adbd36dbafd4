// Reads a body of bytes into one buffer again and again, since fresh ones pile up before the garbage collector runs.

const BUFFER_BYTES = 65_536;

/** The chunks of a body, each valid only until the next is asked for. A body that breaks throws what `broken` makes. */
export async function* readChunks(
  body: ReadableStream<Uint8Array>,
  broken: (cause: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  let hasEnded = false;
  let cancel: () => Promise<void> = () => Promise.resolve();
  try {
    const next = openBody(body, (reader) => cancel = () => reader.cancel());
    for (;;) {
      const chunk = await next().catch((cause) => {
        hasEnded = true;
        throw broken(cause);
      });
      if (!chunk) {
        hasEnded = true;
        return;
      }
      yield chunk;
    }
  } finally {
    if (!hasEnded) await cancel().catch(() => {});
  }
}

function openBody(
  body: ReadableStream<Uint8Array>,
  opened: (reader: ReadableStreamReader<Uint8Array>) => void,
): () => Promise<Uint8Array | undefined> {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch { // Not a byte stream: its chunks are its own.
    const plain = body.getReader();
    opened(plain);
    return async () => (await plain.read()).value;
  }
  opened(reader);
  let buffer = new ArrayBuffer(BUFFER_BYTES);
  return async () => {
    const { value } = await reader.read(new Uint8Array(buffer));
    if (!value?.byteLength) return undefined;
    buffer = value.buffer;
    return value;
  };
}
