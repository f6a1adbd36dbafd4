// Reads multipart/form-data as it arrives: the fields before the file, then the file as a stream, never held whole.
import type { BusboyFileStream } from "@fastify/busboy";
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
  /** Resolves when the whole form has been read and nothing in it was wrong: only then may the file stay. */
  whole: Promise<void>;
  /** Why the stream broke, if it did. */
  failure(): Error | null;
}

const FIELDS_FIRST = 'send the fields "project_id" and "path" first, then the one part "file"';

function invalid(path: string, message: string, cause?: unknown): OperationError {
  const details = { fields: [{ path, message }] };
  return new OperationError("validation_failed", `The form is wrong at ${path}: ${message}.`, details, { cause });
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
 * Hands the part called `file` to `store` as soon as it begins, with the fields that came before it. Whatever breaks
 * afterwards breaks the file's stream, so that `store` fails and takes back what it began.
 * Throws `unsupported_media_type`, `validation_failed`, `payload_too_large`.
 */
export async function receiveFile<Result>(
  request: Request,
  { maxFileBytes, maxBodyBytes }: { maxFileBytes: number; maxBodyBytes: number },
  store: (fields: Record<string, string>, file: IncomingFile) => Promise<Result>,
): Promise<Result> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(type) || !request.body) {
    throw new OperationError("unsupported_media_type", "Send the file as multipart/form-data.");
  }
  const tooLarge = () => new OperationError("payload_too_large", `The form may have at most ${maxBodyBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) throw tooLarge();
  const { Busboy } = await import("@fastify/busboy");
  const limits = { files: 1, fields: 10, fieldSize: 4096, fieldNameSize: 100, fileSize: maxFileBytes + 1 };

  return await new Promise<Result>((resolve, reject) => {
    const source = Readable.fromWeb(request.body as NodeReadableStream);
    let parser: InstanceType<typeof Busboy>;
    try {
      parser = new Busboy({ headers: { "content-type": type }, limits });
    } catch (cause) {
      source.destroy();
      return reject(invalid("content-type", "the multipart header is broken", cause));
    }
    const fields: Record<string, string> = {};
    let file: { transform: Transform; stored: Promise<Result> } | undefined;
    let isOver = false;
    const whole = Promise.withResolvers<void>();
    whole.promise.catch(() => {});

    // Reading stops here; a store under way meets its broken stream, and its own error is the one to report.
    const stop = (error: Error) => {
      if (isOver) return;
      isOver = true;
      whole.reject(error);
      source.unpipe(parser);
      source.destroy();
      if (!file) return reject(error);
      file.transform.destroy(error);
      file.stored.then(() => reject(error), reject);
    };

    let received = 0;
    source.on("data", (chunk: Uint8Array) => {
      received += chunk.byteLength;
      if (received > maxBodyBytes) stop(tooLarge());
    });
    source.on("error", (cause) => stop(invalid("file", "the body ends too early", cause)));
    source.on("close", () => source.readableEnded || stop(invalid("file", "the body ends too early")));
    parser.on("error", (cause) => stop(invalid("file", "the body is broken or ends too early", cause)));
    parser.on("filesLimit", () => stop(invalid("file", FIELDS_FIRST)));
    parser.on("fieldsLimit", () => stop(invalid("form", FIELDS_FIRST)));
    parser.on("field", (name: string, value: string, isNameCut: boolean, isValueCut: boolean) => {
      if (file) return stop(invalid(name, FIELDS_FIRST));
      if (isNameCut || isValueCut) return stop(invalid(name, "is too long"));
      fields[name] = value;
    });
    parser.on(
      "file",
      (name: string, part: BusboyFileStream, fileName: string | undefined, _encoding: string, mimeType: string) => {
        part.on("error", (error) => file?.transform.destroy(error));
        if (isOver || file || name !== "file") {
          part.resume();
          return stop(invalid(name, FIELDS_FIRST));
        }
        const { transform, measure } = measuring(maxFileBytes);
        part.pipe(transform);
        const stream = Readable.toWeb(transform) as ReadableStream<Uint8Array>;
        const failure = () => transform.errored;
        const stored = store(fields, {
          name: fileName ?? "",
          mimeType,
          stream,
          measure,
          whole: whole.promise,
          failure,
        });
        file = { transform, stored };
        stored.catch((error) => stop(error));
      },
    );
    parser.on("finish", () => {
      if (isOver) return;
      if (!file) return stop(invalid("file", "is missing"));
      isOver = true;
      whole.resolve();
      file.stored.then(resolve, reject);
    });
    source.pipe(parser);
  });
}
