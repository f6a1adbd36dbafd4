// Reading a JSON body: content type, size while it arrives, syntax, storable text, and at last the contract.
import type * as z from "zod";
import { MEBIBYTE } from "../../../shared/contract/values.ts";
import type { AppContext } from "./auth.ts";
import { OperationError } from "./errors.ts";
import { findUnstorable } from "./text.ts";

const DEFAULT_MAX_BYTES = 1_048_576;

/** More than any value of 1 MiB can hold; a body of 16 MiB made of nothing else would cost a gigabyte to parse. */
const MAX_VALUES = 600_000;

/** Reads at most `maxBytes` of a body; `payload_too_large` as soon as one byte more arrives. */
async function readLimited(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new OperationError("payload_too_large", `The body may have at most ${maxBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [...'"\\,[{'].map((character) => character.charCodeAt(0));

/** Are there more values than MAX_VALUES? Counts what separates and opens them, outside strings, without parsing. */
function hasTooManyValues(bytes: Uint8Array): boolean {
  let count = 0;
  let isInString = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (isInString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if ((byte === COMMA || byte === BRACKET || byte === BRACE) && ++count > MAX_VALUES) return true;
  }
  return false;
}

/** The JSON value of the body. Throws `unsupported_media_type`, `payload_too_large`, `malformed_json`. */
export async function readJson(context: AppContext, maxBytes = DEFAULT_MAX_BYTES): Promise<unknown> {
  const request = context.req.raw;
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new OperationError("unsupported_media_type", "Send the body as application/json.");
  }
  const bytes = await readLimited(request, maxBytes);
  if (hasTooManyValues(bytes)) {
    throw new OperationError("payload_too_large", `The body may hold at most ${MAX_VALUES} values.`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new OperationError("malformed_json", "The body is not JSON in UTF-8.", {}, { cause });
  }
}

/** Longer than a text may be at all, not than the field should be: the database says the same of it, in bytes. */
const isTooLarge = (issue: z.core.$ZodIssue) =>
  issue.code === "too_big" && issue.origin === "string" && Number(issue.maximum) >= MEBIBYTE;

/**
 * The value as the contract has it. Throws `validation_failed` with one entry per field in `details.fields`, or
 * `payload_too_large` where nothing is wrong but the size of a text.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const unstorable = findUnstorable(value);
  const parsed = unstorable ? null : schema.safeParse(value);
  if (parsed?.success) return parsed.data;
  const issues = parsed?.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const fields = unstorable ? [unstorable] : issues;
  if (parsed?.error.issues.every(isTooLarge)) {
    throw new OperationError("payload_too_large", "A text is larger than 1 MiB: see details.fields.", { fields });
  }
  throw new OperationError("validation_failed", "Some fields are wrong: see details.fields.", { fields });
}
