// Reading a JSON body: content type, size while it arrives, syntax, storable text, and at last the contract.
import type * as z from "zod";
import { MEBIBYTE } from "../../../shared/contract/values.ts";
import { OperationError } from "./errors.ts";
import { Pace } from "./pace.ts";
import { findUnstorable } from "./text.ts";
import { inReadingTurn, LARGE_BYTES } from "./turns.ts";

export const DEFAULT_MAX_BYTES = 1_048_576;

/** A body that says how small it is is read in one step, which saves a twentieth of a request's time. */
const SMALL_BYTES = 65_536;

/** What room a body gets at first that does not say how large it is. */
const FIRST_BYTES = 4096;

/**
 * Values and names: more than any value of 1 MiB can hold. A body of 16 MiB made of nothing else would cost a gigabyte to
 * parse, and names that differ cost most: 600,000 of them, in seven megabytes, took 300.
 */
const MAX_VALUES = 600_000;

/** What one of them takes once it is parsed, in bytes: an empty object as much, a name that no other equals far more. */
const VALUE_BYTES = 40;

/** What is used up is given back at once by detaching it: the garbage collector would wait until much has piled up. */
const grown = (bytes: Uint8Array<ArrayBuffer>, size: number) => new Uint8Array(bytes.buffer.transfer(size));

const toldBytes = ({ headers }: Request) => Number(headers.get("content-length") ?? 0);

const brokeOff = (cause: unknown): never => {
  throw new OperationError("malformed_json", "The body broke off before it was whole.", {}, { cause });
};

/** What a body is refused with whose sender is not waited for any longer. */
export const tooLate = () => new OperationError("request_timeout", "The body did not come, or came too slowly.");

/** A body in one step. One that does not come is left behind: what comes of it after the answer is nobody's. */
async function readSmall(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const { promise, reject } = Promise.withResolvers<never>();
  const pace = new Pace(() => reject(tooLate()));
  pace.wait();
  const whole = request.bytes().catch(brokeOff);
  try {
    return await Promise.race([whole, promise]);
  } finally {
    pace.moved(0);
    whole.catch(() => {});
  }
}

/** A body as it comes, in one buffer: never much larger than what has come, however much was told. */
class IncomingBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #pace = new Pace(() => void this.#reader.cancel().catch(() => {}));
  readonly #told: number;
  #bytes = new Uint8Array(FIRST_BYTES);
  #size = 0;
  isWhole = false;

  constructor(request: Request, readonly maxBytes: number) {
    this.#told = toldBytes(request);
    if (this.#told > maxBytes) throw this.#tooLarge();
    this.#reader = (request.body ?? new Blob([]).stream()).getReader();
  }

  #tooLarge = () => new OperationError("payload_too_large", `The body may have at most ${this.maxBytes} bytes.`);

  /** Reads until more than so many bytes are there, or all; `payload_too_large` as soon as there is one too many. */
  async readBeyond(bytes: number): Promise<void> {
    while (!this.isWhole && this.#size <= bytes) {
      this.#pace.wait();
      const { done, value } = await this.#reader.read().catch(brokeOff);
      this.#pace.moved(value?.byteLength ?? 0);
      if (this.#pace.isLate) throw tooLate();
      if (done) this.isWhole = true;
      else this.#append(value);
    }
  }

  #append(chunk: Uint8Array): void {
    const [end, room] = [this.#size + chunk.byteLength, this.#bytes.byteLength];
    if (end > this.maxBytes) throw this.#tooLarge();
    const enough = Math.max(end, Math.min(2 * room, this.#told || this.maxBytes));
    if (end > room) this.#bytes = grown(this.#bytes, enough);
    this.#bytes.set(chunk, this.#size);
    this.#size = end;
  }

  /** All that has come. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes = grown(this.#bytes, this.#size);
  }

  /** Reads no more of it, and gives back what is still held. */
  async drop(): Promise<void> {
    this.#pace.moved(0);
    if (!this.#bytes.buffer.detached) this.#bytes.buffer.transfer(0);
    if (!this.isWhole) await this.#reader.cancel().catch(() => {});
  }
}

/**
 * Hands a body of at most `maxBytes` to `use`. What is large is read on in its holder's turn, which lasts until `use` has
 * ended: of many that stall no more is held than there are turns.
 */
export async function receiveBody<Result>(
  request: Request,
  maxBytes: number,
  holder: string | undefined,
  use: (bytes: Uint8Array<ArrayBuffer>) => Promise<Result>,
): Promise<Result> {
  const told = toldBytes(request);
  if (told > 0 && told <= Math.min(SMALL_BYTES, maxBytes)) return await use(await readSmall(request));
  const body = new IncomingBody(request, maxBytes);
  try {
    await body.readBeyond(LARGE_BYTES);
    if (body.isWhole) return await use(body.take());
    return await inReadingTurn(holder, async () => {
      await body.readBeyond(maxBytes);
      return await use(body.take());
    });
  } finally {
    await body.drop();
  }
}

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE, COLON] = [...'"\\,[{:'].map((character) => character.charCodeAt(0));
/** What stands before a value, or behind a name. */
const COUNTED = new Uint8Array(256);
for (const byte of [COMMA, BRACKET, BRACE, COLON]) COUNTED[byte ?? 0] = 1;

/** How many values and names there are, at most one more than MAX_VALUES. Counts what stands around them, outside strings. */
function countValues(bytes: Uint8Array): number {
  let count = 0;
  let isInString = false;
  for (let index = 0; index < bytes.length && count <= MAX_VALUES; index++) {
    const byte = bytes[index] ?? 0;
    if (isInString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (COUNTED[byte]) count++;
  }
  return count;
}

/**
 * What working at a body takes, in bytes, known without parsing it: one of hardly anything but values takes a multiple of
 * itself. Throws `payload_too_large` where it holds too many.
 */
export function weigh(bytes: Uint8Array): number {
  if (bytes.byteLength * VALUE_BYTES <= LARGE_BYTES) return bytes.byteLength;
  const values = countValues(bytes);
  if (values > MAX_VALUES) {
    throw new OperationError("payload_too_large", `The body may hold at most ${MAX_VALUES} values and names.`);
  }
  return Math.max(bytes.byteLength, values * VALUE_BYTES);
}

/** Throws `unsupported_media_type` where the body is called anything else than JSON. */
export function requireJson(request: Request): void {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new OperationError("unsupported_media_type", "Send the body as application/json.");
  }
}

/** The JSON value of a body, which is used up. Throws `malformed_json`. */
export function parseBody(bytes: Uint8Array<ArrayBuffer>): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    bytes.buffer.transfer(0);
    return JSON.parse(text);
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
 * @param later the field whose parts the caller parses by itself, each for itself: the schema lets them through unseen
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown, later?: string): z.output<Schema> {
  const isLater = later !== undefined && typeof value === "object" && value !== null && later in value;
  const unstorable = findUnstorable(isLater ? { ...value, [later]: null } : value);
  const parsed = unstorable ? null : schema.safeParse(value);
  if (parsed?.success) return parsed.data;
  const issues = parsed?.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const fields = unstorable ? [unstorable] : issues;
  if (parsed?.error.issues.every(isTooLarge)) {
    throw new OperationError("payload_too_large", "A text is larger than 1 MiB: see details.fields.", { fields });
  }
  throw new OperationError("validation_failed", "Some fields are wrong: see details.fields.", { fields });
}
