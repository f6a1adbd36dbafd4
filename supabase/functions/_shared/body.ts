// Reading a JSON body: content type, size while it arrives, syntax, storable text, and at last the contract.
import type * as z from "zod";
import type { AppContext } from "./auth.ts";
import { OperationError } from "./errors.ts";
import { findUnstorable } from "./text.ts";

const DEFAULT_MAX_BYTES = 1_048_576;

/** Reads at most `maxBytes` of a body; `payload_too_large` as soon as one byte more arrives. */
async function readLimited(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new OperationError("payload_too_large", `The body may have at most ${maxBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) {
    throw tooLarge();
  }
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

/** The JSON value of the body. Throws `unsupported_media_type`, `payload_too_large`, `malformed_json`. */
export async function readJson(context: AppContext, maxBytes = DEFAULT_MAX_BYTES): Promise<unknown> {
  const request = context.req.raw;
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim()
    .toLowerCase();
  if (type !== "application/json") {
    throw new OperationError("unsupported_media_type", "Send the body as application/json.");
  }
  const bytes = await readLimited(request, maxBytes);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new OperationError("malformed_json", "The body is not JSON in UTF-8.", {}, { cause });
  }
}

/** The value as the contract has it. Throws `validation_failed` with one entry per field in `details.fields`. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const unstorable = findUnstorable(value);
  const fields = unstorable ? [unstorable] : schema.safeParse(value).error?.issues.map(({ path, message }) => ({
    path: path.join("."),
    message,
  }));
  if (fields) {
    throw new OperationError(
      "validation_failed",
      `${fields.length} field(s) are wrong: see details.fields.`,
      { fields },
    );
  }
  return schema.parse(value);
}
