// Reads multipart/form-data as it arrives: the fields before the file, then the file as a stream, never held whole.
import type { BusboyFileStream } from "@fastify/busboy";
import { tooLate } from "../_shared/body.ts";
import { OperationError } from "../_shared/errors.ts";
import { Pace } from "../_shared/pace.ts";
import { openBody } from "./chunks.ts";
import { FileStream } from "./file_stream.ts";
import { watchTypes } from "./part_types.ts";

/** The file part: its bytes end only when the whole form has been read and nothing in it was wrong. */
export interface IncomingFile {
  name: string;
  /** Empty where the part names none. */
  mimeType: string;
  bytes: FileStream;
}

const FIELDS_FIRST = 'send the fields "project_id" and "path" first, then the one part "file"';

/**
 * A form has three parts. What is neither a field nor a file is passed over, but costs the parser a stream each: a form of
 * nothing else, without a name in it, took the process's memory for good, or the process with it.
 */
const MAX_PARTS = 20;

/** In parts that are neither fields nor the file the parser may lose its way, and goes on no more. In milliseconds. */
const PARSER_MS = 2_000;

/** Browsers and curl write these three so, as HTML has it, and a `%` as it is. */
const ESCAPED = /%(22|0D|0A)/gi;
const unescaped = (name: string) => name.replace(ESCAPED, decodeURIComponent);

function invalid(path: string, message: string, cause?: unknown): OperationError {
  const details = { fields: [{ path, message }] };
  return new OperationError("validation_failed", `The form is wrong at ${path}: ${message}.`, details, { cause });
}

/**
 * Hands the part called `file` to `store` as soon as it begins, with the fields that came before it. Whatever breaks
 * afterwards breaks the file's stream, so that `store` fails and takes back what it began.
 * Throws `unsupported_media_type`, `validation_failed`, `payload_too_large`, `request_timeout`.
 */
export async function receiveFile<Result>(
  request: Request,
  { maxFileBytes, maxBodyBytes, isHurried }: { maxFileBytes: number; maxBodyBytes: number; isHurried?: () => boolean },
  store: (fields: Record<string, string>, file: IncomingFile) => Promise<Result>,
): Promise<Result> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(type) || !request.body) {
    throw new OperationError("unsupported_media_type", "Send the file as multipart/form-data.");
  }
  const tooLarge = () => new OperationError("payload_too_large", `The form may have at most ${maxBodyBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) throw tooLarge();
  const parser = await createParser(type, maxFileBytes);
  const isTyped = watchTypes(parser);

  const fields: Record<string, string> = {};
  let file: { bytes: FileStream; stored: Promise<Result> } | undefined;
  let failure: Error | undefined;
  let isFinished = false;
  let taken = () => {};
  const fail = (error: Error) => {
    failure ??= error;
    file?.bytes.fail(failure);
    taken();
  };
  // With the form's last boundary, which may come long before the body's end, or when the body ends.
  parser.once("finish", () => {
    isFinished = true;
    taken();
  });
  parser.on("error", (cause) => fail(invalid("file", "the body is broken or ends too early", cause)));
  parser.on("filesLimit", () => fail(invalid("file", FIELDS_FIRST)));
  parser.on("fieldsLimit", () => fail(invalid("form", FIELDS_FIRST)));
  parser.on("partsLimit", () => fail(invalid("form", FIELDS_FIRST)));
  parser.on("field", (name: string, value: string, isNameCut: boolean, isValueCut: boolean) => {
    if (file) return fail(invalid(name, FIELDS_FIRST));
    if (isNameCut || isValueCut) return fail(invalid(name, "is too long"));
    fields[name] = value;
  });
  parser.on(
    "file",
    (name: string, part: BusboyFileStream, fileName: string | undefined, _: string, mimeType: string) => {
      part.on("error", (cause) => fail(invalid("file", "the file part ends too early", cause)));
      if (file || name !== "file") {
        part.resume();
        return fail(invalid(name, FIELDS_FIRST));
      }
      const bytes = new FileStream(maxFileBytes);
      part.on("data", (chunk: Uint8Array) => bytes.write(chunk));
      const incoming = { name: unescaped(fileName ?? ""), mimeType: isTyped() ? mimeType : "", bytes };
      file = { bytes, stored: store(fields, incoming) };
      file.stored.catch(fail);
    },
  );

  // As few promises as can be: seven hundred chunks would leave enough of them to grow the heap.
  const body = openBody(request.body);
  const pace = new Pace(() => void body.cancel(), undefined, isHurried);
  const next = () => {
    pace.wait();
    return body.next().then((chunk) => {
      pace.moved(chunk?.byteLength ?? 0);
      if (pace.isLate) throw tooLate();
      return chunk;
    }, (cause) => {
      pace.moved(0);
      throw invalid("file", "the body ends too early", cause);
    });
  };
  const isTaken = () => taken();
  /** The parser takes some ticks, and no more: it waits for nobody. */
  const until = async (isDone: () => boolean) => {
    if (isDone() || failure) return;
    const timer = setTimeout(() => fail(invalid("form", "has a part that is neither a field nor the file")), PARSER_MS);
    while (!isDone() && !failure) await new Promise<void>((resolve) => taken = resolve);
    clearTimeout(timer);
  };
  try {
    let received = 0;
    for (let chunk = await next(); chunk; chunk = await next()) {
      received += chunk.byteLength;
      if (received > maxBodyBytes) throw tooLarge();
      parser.write(chunk, isTaken);
      // The next chunk overwrites this one, so all of its bytes have to be handed on before.
      await until(() => parser.writableLength === 0);
      if (file?.bytes.isFull) await file.bytes.hasRoom();
      if (failure ?? file?.bytes.failure) throw failure ?? file?.bytes.failure;
    }
    parser.end();
    await until(() => isFinished);
    if (failure) throw failure;
    if (!file) throw invalid("file", "is missing");
    file.bytes.close();
  } catch (error) {
    fail(error instanceof Error ? error : new Error(String(error)));
    await body.cancel();
    if (!file) throw error;
  }
  return await file.stored;
}

async function createParser(type: string, maxFileBytes: number) {
  const { Busboy } = await import("@fastify/busboy");
  const limits = {
    ...{ parts: MAX_PARTS, files: 1, fields: 10 },
    ...{ fieldSize: 4096, fieldNameSize: 100, fileSize: maxFileBytes + 1 },
  };
  try {
    // A high-water mark of one byte: the parser takes no more before the bytes it gave out were taken.
    return new Busboy({ headers: { "content-type": type }, limits, fileHwm: 1 });
  } catch (cause) {
    throw invalid("content-type", "the multipart header is broken", cause);
  }
}
