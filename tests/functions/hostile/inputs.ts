// Inputs made from the contracts: right in shape, with ids that are real or that nothing has; and the same, spoilt.
import fc from "fast-check";
import * as z from "zod";
import type { Operation } from "../../../shared/contract/operation.ts";
import { badPath, oddNumber, oddPath, oddText, oddValue, unstorable } from "./values.ts";

/** The little of JSON Schema that contracts are written in. */
interface Schema {
  type?: string;
  format?: string;
  pattern?: string;
  enum?: string[];
  const?: unknown;
  oneOf?: Schema[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

export type Input = Record<string, unknown>;

/** Which ids an input holds: by the name of its field, those that exist, or one that nothing has. */
export type Ids = (field: string) => string;
export const NO_IDS: Ids = () => crypto.randomUUID();

export const schemaOf = ({ input }: Operation): Schema =>
  z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as Schema;

/** Of every pattern there is: the usual, and what is at its edges. */
const PATTERNED = [
  ...["0-0", "7-12", "9999999999999999999-9999999999999999999", "9999999999999999999-0", "text/plain", "a/b;\u007f"],
  ...["true", "someone@example.com", `${"a".repeat(200)}@${"b.".repeat(50)}cc`],
  ...[
    "2026-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999999-15:59",
  ],
];

/** A value of that shape; `text` makes its free strings. */
function valueOf(field: string, schema: Schema, ids: Ids, text: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const { type, format, pattern, minimum = -1e6, maximum = 1e6, minLength = 0, maxLength = 60_000 } = schema;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return fc.oneof(...choices.map((choice) => valueOf(field, choice, ids, text)));
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (type === "object" && schema.properties) return objectOf(schema, ids, text);
  if (type === "array") {
    // Reports of one call are judged each by itself: beside a bad one, a good one of a task that exists would be taken.
    const isReports = schema.items?.anyOf?.some(({ properties }) => properties?.lease_token);
    const maxLength = ids !== NO_IDS && isReports ? 1 : 3;
    return fc.array(valueOf(field, schema.items ?? {}, ids, text), { minLength: 1, maxLength });
  }
  if (type === "integer" || type === "number") return fc.integer({ min: minimum, max: Math.min(maximum, 2 ** 31 - 1) });
  if (type === "boolean") return fc.boolean();
  if (type === "string") {
    if (format === "uuid") return fc.constant(null).map(() => ids(field));
    if (pattern) {
      const fitting = PATTERNED.filter((value) => new RegExp(pattern, "u").test(value));
      if (fitting.length === 0) throw new Error(`Teach inputs.ts a value for ${field}, which must match ${pattern}`);
      return fc.constantFrom(...fitting);
    }
    return text.map((value) => value.slice(0, maxLength).toWellFormed().padEnd(minLength, "x"));
  }
  return fc.jsonValue({ maxDepth: 3 }).map((value) => type === "object" ? { value } : value);
}

/** An object of that shape, with all its fields or some of those that may be absent; all ids are there. */
function objectOf({ properties = {}, required = [] }: Schema, ids: Ids, text: fc.Arbitrary<string>) {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([field, schema]) => [field, valueOf(field, schema, ids, text)]),
  );
  const isNeeded = (field: string) => required.includes(field) || properties[field]?.format === "uuid";
  return fc.record(fields, { requiredKeys: Object.keys(fields).filter(isNeeded) }) as fc.Arbitrary<Input>;
}

export const inputOf = (operation: Operation, ids: Ids, text: fc.Arbitrary<string> = fc.constant("text")) =>
  objectOf(schemaOf(operation), ids, text);

/** Every place in a value, as the way to it. */
function placesOf(value: unknown, way: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return way.length > 0 ? [way] : [];
  const below = Object.entries(value).flatMap(([key, child]) => placesOf(child, [...way, key]));
  return way.length > 0 ? [way, ...below] : below;
}

/** The value with something else in one place; undefined takes the place away. */
function replaced(value: unknown, [key, ...rest]: string[], put: (old: unknown) => unknown): unknown {
  if (key === undefined) return put(value);
  const copy: unknown = Array.isArray(value) ? [...value] : { ...value as Input };
  const changed = replaced(Reflect.get(copy as Input, key), rest, put);
  if (changed === undefined) Reflect.deleteProperty(copy as Input, key);
  else Reflect.set(copy as Input, key, changed);
  return copy;
}

const MARK = "@@here@@";
/** JSON with some text, that need not be JSON, in one place. */
const written = (value: unknown, way: string[], text: string) =>
  JSON.stringify(replaced(value, way, () => MARK)).replace(`"${MARK}"`, () => text);

const somewhere = (input: Input) => fc.constantFrom(...placesOf(input), ["unknown"]);

/** Inputs with values of another kind in some places, or without them. They may still be right. */
export const mistyped = (operation: Operation, ids: Ids): fc.Arbitrary<Input> =>
  inputOf(operation, ids).chain((input) =>
    fc.tuple(somewhere(input), fc.oneof(oddValue, fc.constant(undefined)), fc.boolean(), oddNumber)
      .map(([way, value, alsoAnother, number]) => {
        const once = replaced(input, way, () => value) as Input;
        const other = placesOf(once)[0];
        return alsoAnother && other ? replaced(once, other, () => number) as Input : once;
      })
  );

/** JSON bodies that hold what nobody can keep, wherever that stands. */
export const poisoned = (operation: Operation, ids: Ids): fc.Arbitrary<string> =>
  inputOf(operation, ids).chain((input) =>
    fc.tuple(somewhere(input), unstorable).map(([way, text]) => written(input, way, text))
  );

const PATH_FIELDS = ["file_path"];

/** Inputs whose file paths lead out of the project; null where the operation takes none. */
export function astray(operation: Operation, ids: Ids): fc.Arbitrary<Input> | null {
  const properties = schemaOf(operation).properties ?? {};
  const field = PATH_FIELDS.find((name) => name in properties);
  if (!field) return null;
  return fc.tuple(inputOf(operation, ids), badPath).map(([input, path]) => ({ ...input, [field]: path }));
}

/** Inputs that are right in shape and say strange things: of nothing that there is, but where they only read. */
export const strange = (operation: Operation, ids: Ids): fc.Arbitrary<Input> =>
  inputOf(operation, operation.method === "GET" ? ids : NO_IDS, fc.oneof(oddText, oddPath, badPath));
