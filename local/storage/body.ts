// Reads the body of an upload as a stream, raw or multipart, without ever holding the file in memory.
//
// supabase-js sends a File or Blob as multipart with a part whose name is "" (Deno's own formData() drops it, hence
// busboy), preceded by the fields cacheControl and metadata; everything else it sends raw, with those in headers.
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { invalidRequest, StorageError, tooLarge } from "./errors.ts";

const MAX_USER_METADATA_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** How much of a refused upload is still read. */
const MAX_DRAIN_BYTES = 256 * 1024 * 1024;

export interface IncomingFile {
  mimeType: string;
  cacheControl: string;
  contentEncoding?: string;
  userMetadata: Record<string, unknown>;
  /** The bytes; ends with an error when the client goes away before all of them came. */
  chunks: AsyncIterable<Uint8Array>;
}

/** Hands the incoming file to `use` and returns its result once the whole body was read and was well formed. */
export async function readUpload<T>(request: Request, use: (file: IncomingFile) => Promise<T>): Promise<T> {
  const contentType = request.headers.get("content-type") ?? "";
  const body = request.body ?? new Blob([]).stream();
  return await (contentType.startsWith("multipart/form-data")
    ? readMultipart(body, contentType, use)
    : readRaw(request.headers, body, use));
}

async function readRaw<T>(headers: Headers, body: ReadableStream<Uint8Array>, use: (file: IncomingFile) => Promise<T>) {
  const announced = headers.get("content-length");
  const metadata = headers.get("x-metadata");
  const chunks = readChunks(body, announced === null ? undefined : Number(announced));
  try {
    return await use({
      mimeType: headers.get("content-type") || "application/octet-stream",
      cacheControl: headers.get("cache-control") ?? "no-cache",
      contentEncoding: headers.get("content-encoding") ?? undefined,
      userMetadata: metadata === null ? {} : parseUserMetadata(new TextDecoder().decode(fromBase64(metadata))),
      chunks: { [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) }, // Without `return`: see `drain`.
    });
  } catch (cause) {
    if (cause instanceof StorageError) await drain(chunks);
    throw cause;
  } finally {
    await chunks.return(undefined);
  }
}

/**
 * The chunks of a body, each valid only until the next is asked for: an HTTP body is read into one buffer again and
 * again, since fresh ones pile up to the size of the file before the garbage collector sees a reason to run.
 */
async function* readChunks(body: ReadableStream<Uint8Array>, announced?: number): AsyncGenerator<Uint8Array, void> {
  const read = reusingReader(body);
  let received = 0;
  try {
    for (let chunk = await read.next(); chunk; chunk = await read.next()) {
      received += chunk.length;
      yield chunk;
    }
  } finally {
    read.release();
  }
  if (announced !== undefined && received !== announced) {
    throw invalidRequest("The request body ended before its announced length");
  }
}

function reusingReader(body: ReadableStream<Uint8Array>): { next(): Promise<Uint8Array | undefined>; release(): void } {
  // A read that fails because the client is gone is the client's failure, not the service's.
  const refuse = () => {
    throw invalidRequest("The request body ended before it was complete");
  };
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch { // Not a byte stream: its chunks are its own.
    const plain = body.getReader();
    return { next: async () => (await plain.read().catch(refuse)).value, release: () => plain.releaseLock() };
  }
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  return {
    next: async () => {
      const { value } = await reader.read(new Uint8Array(buffer)).catch(refuse);
      if (!value?.length) return undefined; // At the end of the body it is shorter, then empty.
      buffer = value.buffer;
      return value;
    },
    release: () => reader.releaseLock(),
  };
}

async function readMultipart<T>(
  body: ReadableStream<Uint8Array>,
  contentType: string,
  use: (file: IncomingFile) => Promise<T>,
): Promise<T> {
  const fields = new Map<string, string>();
  const parser = createParser(contentType);
  const found = Promise.withResolvers<{ stream: BusboyFileStream; mimeType: string }>();
  found.promise.catch(() => {}); // Awaited below, but perhaps only after it failed.
  let file: BusboyFileStream | undefined;
  let refused = false;
  parser.on("field", (name, value) => fields.set(name, value));
  parser.on("file", (_name, stream, _filename, _encoding, mimeType) => {
    file = stream;
    // Without this listener a truncated body would end the process; destroying makes the reader see the failure.
    stream.on("error", (cause: Error) => stream.destroy(cause));
    found.resolve({ stream, mimeType });
  });
  parser.on("finish", () => found.reject(invalidRequest("No content provided")));

  const pumped = pipeline(Readable.from(bounded(body, () => refused)), parser).catch((cause) => {
    const failure = unreadable(cause);
    found.reject(failure);
    file?.destroy(failure);
    throw failure;
  });
  pumped.catch(() => {});
  try {
    const { stream, mimeType } = await found.promise;
    const cacheControl = fields.get("cacheControl");
    const metadata = fields.get("metadata") ?? fields.get("userMetadata");
    const result = await use({
      mimeType: fields.get("contentType") || mimeType || "application/octet-stream",
      cacheControl: cacheControl ? `max-age=${cacheControl}` : "no-cache",
      contentEncoding: fields.get("contentEncoding"),
      userMetadata: metadata === undefined ? {} : parseUserMetadata(metadata),
      chunks: readPart(stream),
    });
    await pumped;
    return result;
  } catch (cause) {
    refused = true; // What is left of the body runs through the parser, so that the client sees the refusal.
    file?.resume();
    await pumped.catch(() => {});
    throw cause;
  }
}

function createParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      limits: { files: 1, fields: 20, fieldSize: MAX_USER_METADATA_BYTES + 1 },
    });
  } catch (cause) {
    throw invalidRequest(cause instanceof Error ? cause.message : "The content type has no multipart boundary");
  }
}

async function* bounded(body: ReadableStream<Uint8Array>, isRefused: () => boolean): AsyncGenerator<Uint8Array> {
  let drained = 0;
  for await (const chunk of body) {
    if (isRefused() && (drained += chunk.length) > MAX_DRAIN_BYTES) throw invalidRequest("The upload was refused");
    yield chunk;
  }
}

async function* readPart(stream: BusboyFileStream): AsyncGenerator<Uint8Array> {
  try {
    yield* stream.iterator({ destroyOnReturn: false }); // A destroyed part would stop the parser for ever.
  } catch (cause) {
    throw unreadable(cause);
  }
}

function unreadable(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return invalidRequest(`Cannot read the multipart body: ${cause instanceof Error ? cause.message : cause}`);
}

/** Reads on after a refusal, within reason, so that the client gets to see it instead of a broken pipe. */
async function drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    let drained = 0;
    for await (const chunk of chunks) if ((drained += chunk.length) > MAX_DRAIN_BYTES) return;
  } catch { /* the client is gone: nobody waits for the answer */ }
}

export function parseUserMetadata(text: string): Record<string, unknown> {
  if (text.length > MAX_USER_METADATA_BYTES) throw tooLarge("user_metadata");
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : {};
  } catch {
    return {}; // The platform ignores metadata that it cannot read, too.
  }
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
