// Reads multipart/form-data as it arrives: the fields before the file, then the file as a stream, never held whole.
import { createHash } from "node:crypto";
import { Readable, Transform } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { OperationError } from "../_shared/errors.ts";

/** The file part: read `stream` to its end, then ask what came. */
export interface IncomingFile {
  name: string;
  mimeType: string;
  stream: ReadableStream<Uint8Array>;
  /** Size in bytes and sha256 in hexadecimal of what the stream delivered. */
  measure(): { size: number; sha256: string };
  /** Why the stream broke, if it did. */
  failure(): Error | null;
}

/** Passes bytes on while counting and hashing them; one byte over the limit breaks the stream. */
function measuring(maxBytes: number) {
  const hash = createHash("sha256");
  let size = 0;
  const transform = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      size += chunk.byteLength;
      if (size > maxBytes) {
        return done(new OperationError("payload_too_large", `A file may have at most ${maxBytes} bytes.`));
      }
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { transform, measure: () => ({ size, sha256: hash.digest("hex") }) };
}

/**
 * Hands the part called `file` to `store` as soon as it begins, with the fields that came before it.
 * Throws `unsupported_media_type`, `validation_failed` (no file, a broken body), `payload_too_large`.
 */
export async function receiveFile<Result>(
  request: Request,
  maxBytes: number,
  store: (fields: Record<string, string>, file: IncomingFile) => Promise<Result>,
): Promise<Result> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(type) || !request.body) {
    throw new OperationError("unsupported_media_type", "Send the file as multipart/form-data.");
  }
  const { Busboy } = await import("@fastify/busboy");
  const source = Readable.fromWeb(request.body as NodeReadableStream);
  const invalid = (message: string, cause?: unknown) => new OperationError("validation_failed", message, {}, { cause });

  return await new Promise<Result>((resolve, reject) => {
    const fields: Record<string, string> = {};
    let stored: Promise<Result> | undefined;
    const stop = (error: unknown) => {
      source.destroy();
      reject(error);
    };
    let parser: InstanceType<typeof Busboy>;
    try {
      parser = new Busboy({
        headers: { "content-type": type },
        limits: {
          files: 1,
          fields: 10,
          fieldSize: 4096,
          fieldNameSize: 100,
          fileSize: maxBytes + 1,
        },
      });
    } catch (cause) {
      return stop(invalid("The multipart header is broken.", cause));
    }
    parser.on("field", (name: string, value: string) => {
      fields[name] = value;
    });
    parser.on(
      "file",
      (name: string, part: Readable, fileName: string | undefined, _encoding: string, mimeType: string) => {
        if (name !== "file" || stored) {
          part.resume();
          return stop(invalid(`Send one file, in the part "file": got the part ${JSON.stringify(name)}.`));
        }
        const { transform, measure } = measuring(maxBytes);
        part.on("error", (error) => transform.destroy(error));
        part.pipe(transform);
        stored = store(fields, {
          name: fileName ?? "",
          mimeType,
          stream: Readable.toWeb(transform) as ReadableStream<Uint8Array>,
          measure,
          failure: () => transform.errored,
        });
        stored.catch(stop);
      },
    );
    parser.on("error", (cause: unknown) => {
      const error = invalid("The multipart body is broken or ends too early.", cause);
      // A store under way fails by its stream, cleans up and reports that; otherwise there is nothing to clean.
      if (stored) stored.then(() => stop(error), () => stop(error));
      else stop(error);
    });
    parser.on("finish", () => stored ? stored.then(resolve, reject) : stop(invalid('The part "file" is missing.')));
    source.on("error", (error) => parser.destroy(error));
    source.pipe(parser);
  });
}
