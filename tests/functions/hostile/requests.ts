// Hostile requests for an operation, made from its contract, so that a new route is shot at without a word here.
import fc from "fast-check";
import type { Operation } from "../../../shared/contract/operation.ts";
import { astray, type Ids, type Input, inputOf, mistyped, NO_IDS, poisoned, strange } from "./inputs.ts";
import { formRequests } from "./forms.ts";
import { badId, oddText } from "./values.ts";

/** Whose credentials go along: someone with every right, a worker, someone of no project, or one of the bad ones. */
export type Sender = "owner" | "worker" | "stranger" | `bad credentials ${number}`;

export interface HostileRequest {
  kind: string;
  sender: Sender;
  method: string;
  /** Below /functions/v1, with its query. */
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
  /** Nothing but a refusal can answer it; other requests are odd, and may be right. */
  mustFail: boolean;
}

export interface Target {
  slug: string;
  operation: Operation;
  /** The ids of things that exist. */
  ids: Ids;
  /** How many bad credentials there are to choose from. */
  badCredentials: number;
}

const JSON_TYPE = { "content-type": "application/json" };
const utf8 = (text: string) => new TextEncoder().encode(text);
const mighty = fc.constantFrom<Sender>("owner", "worker");
const anyone = fc.constantFrom<Sender>("owner", "worker", "stranger");

/** The path with the input's values in it, and what is left of the input. */
function fillPath(path: string, input: Input): [string, Input] {
  const rest = { ...input };
  const filled = path.replace(/:(\w+)/g, (_, name: string) => {
    delete rest[name];
    return encodeURIComponent(textOf(input[name]));
  });
  return [filled === "/" ? "" : filled, rest];
}

/** A value as a query carries it. */
const textOf = (value: unknown) =>
  (typeof value === "object" || value === undefined ? JSON.stringify(value) ?? "" : String(value)).toWellFormed();

/** An input as the operation's own kind of request. */
function requestOf({ slug, operation: { method, path, body } }: Target, input: Input) {
  const [filled, rest] = fillPath(path, input);
  if (body !== "none") return { method, path: slug + filled, headers: JSON_TYPE, body: JSON.stringify(input) };
  const query = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, textOf(value)]));
  return { method, path: slug + filled + (query.size > 0 ? `?${query}` : ""), headers: {} };
}

/** Would the contract take this, as it arrives? */
function isInShape({ operation }: Target, input: Input): boolean {
  const arrives = operation.body === "none"
    ? Object.fromEntries(Object.entries(input).map(([name, value]) => [name, textOf(value)]))
    : JSON.parse(JSON.stringify(input));
  return operation.input.safeParse(arrives).success;
}

/** Headers that some server somewhere listens to. */
const oddHeaders = fc.option(
  fc.constantFrom<Record<string, string>>(
    { "x-request-id": "../../etc/passwd" },
    { "x-request-id": "x".repeat(2000) },
    { "x-http-method-override": "DELETE" },
    { "prefer": "tx=rollback, return=representation, params=single-object" },
    { "content-profile": "private", "accept-profile": "private" },
    { "range": "bytes=0-0, 5-4" },
    { "accept": "text/html;q=0.1, application/vnd.pgrst.plan+json" },
    { "accept-language": "*".repeat(4000) },
    { "x-forwarded-host": "evil.example", "x-forwarded-for": "127.0.0.1" },
    { "expect": "200-ok" },
    { "idempotency-key": "'\"<>\\" },
    { "cookie": "sb-access-token=" + "a".repeat(3000) },
    { "if-none-match": "*", "if-match": "nothing" },
  ),
  { freq: 4, nil: {} },
);

const utf16 = (text: string) => {
  const bytes = new Uint8Array(2 + text.length * 2);
  bytes.set([0xff, 0xfe]);
  [...text].forEach((character, index) => bytes.set([character.charCodeAt(0), 0], 2 + index * 2));
  return bytes;
};
const latin1 = (text: string) => Uint8Array.from([...text], (character) => character.charCodeAt(0) & 0xff);
/** What gzip's own program writes for an empty object. */
const GZIPPED = Uint8Array.fromHex("1f8b0800000000000003abae050043bfa6a302000000");
const CROWD = `[${"0,".repeat(610_000)}0]`;

type Body = readonly [body: string | Uint8Array<ArrayBuffer>, headers?: Record<string, string>];

/** Bodies that are no JSON in UTF-8, or none of an object, made from one that is. */
const unreadable = (text: string): fc.Arbitrary<Body> =>
  fc.oneof(
    { weight: 60, arbitrary: fc.integer({ min: 0, max: text.length - 1 }).map((end): Body => [text.slice(0, end)]) },
    {
      weight: 60,
      arbitrary: fc.constantFrom<Body>(
        [utf16(text)],
        [utf16(text), { "content-type": "application/json; charset=utf-16" }],
        [latin1(text.replace("{", '{"\u00e9":"\u00ff",')), { "content-type": "application/json; charset=latin1" }],
        [GZIPPED, { "content-encoding": "gzip" }],
        [GZIPPED],
        [`${text}${text}`],
        [`[${text}]`],
        [text.replace("{", "{'a':1,")],
        [text.replace("{", "{,")],
        [`/**/${text}`],
        [`)]}',\n${text}`],
        [`${text}\u0000`],
        ["null"],
        ["[]"],
        ['"text"'],
        ["-"],
        [utf8(text.replace("{", '{"?":1,')).map((byte) => byte === 0x3f ? 0xff : byte)],
        [new Uint8Array(100)],
      ),
    },
    { weight: 20, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes): Body => [new Uint8Array(bytes)]) },
    { weight: 20, arbitrary: fc.json({ maxDepth: 2 }).map((json): Body => [`[${json}]`]) },
    { weight: 1, arbitrary: fc.constant<Body>([CROWD]) },
  );

const WRONG_TYPES = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/xml",
  "application/json+x",
  ";",
  "*/*",
];

function jsonRequests(target: Target): fc.Arbitrary<HostileRequest>[] {
  const { slug, operation, ids } = target;
  const { method } = operation;
  const path = slug + fillPath(operation.path, {})[0];
  const valid = inputOf(operation, ids).map((input) => JSON.stringify(input));
  const malformed = { method, path, headers: JSON_TYPE, mustFail: true };
  return [
    fc.record({ sender: mighty, body: poisoned(operation, ids) })
      .map((given) => ({ kind: "unstorable", ...malformed, ...given })),
    fc.record({ sender: mighty, made: valid.chain(unreadable) }).map(({ sender, made: [body, headers] }) => ({
      kind: "unreadable",
      ...malformed,
      sender,
      body,
      headers: { ...JSON_TYPE, ...headers },
    })),
    fc.record({ sender: mighty, body: valid, type: fc.constantFrom(...WRONG_TYPES) }).map(({ sender, body, type }) => ({
      kind: "wrong content type",
      ...malformed,
      sender,
      body,
      headers: { "content-type": type },
    })),
    // The last of two equal keys counts, for the contract and the database alike.
    fc.record({ sender: anyone, input: inputOf(operation, NO_IDS), first: badId }).map(({ sender, input, first }) => {
      const again = Object.keys(input).map((key) => `${JSON.stringify(key)}:${JSON.stringify(first)}`).join(",");
      const body = JSON.stringify(input).replace("{", () => `\ufeff{${again}${again ? "," : ""}`);
      return { kind: "keys given twice", ...malformed, sender, body, mustFail: false };
    }),
  ];
}

/** Queries that are no query, on a route that reads one. */
function queryRequests(target: Target): fc.Arbitrary<HostileRequest>[] {
  const query = fc.array(
    fc.oneof(
      fc.constantFrom("&&&", "=", "?", "#", "%", "%zz=%zz", "%00=%00", "%ed%a0%80", "__proto__=1", "constructor[a]=1"),
      fc.tuple(fc.constantFrom("project_id", "limit", "at", "after", "file_path", "with_content"), oddText)
        .map(([name, text]) => `${name}=${encodeURIComponent(text.slice(0, 2000))}`),
      fc.constantFrom("limit=1e3", "limit=0x10", "limit= 5", "limit=5&limit=6", "at=0000-01-01T00:00:00Z", "after=%ff"),
      fc.constant("a=".concat("x".repeat(6000))),
    ),
    { minLength: 1, maxLength: 6 },
  );
  return [
    fc.record({ sender: anyone, input: inputOf(target.operation, NO_IDS), query }).map(({ sender, input, query }) => {
      const request = requestOf(target, input);
      const path = `${request.path}${request.path.includes("?") ? "&" : "?"}${query.join("&")}`;
      return { kind: "odd query", sender, ...request, path, mustFail: false };
    }),
  ];
}

/** Everything that is shot at one route. */
export function hostileRequests(target: Target): fc.Arbitrary<HostileRequest> {
  const { slug, operation, ids, badCredentials } = target;
  const isOnItsPath = ({ path }: HostileRequest) =>
    new RegExp(`^/${slug}([/?]|$)`).test(new URL(`http://x/${path}`).pathname);
  const kinds = operation.body === "multipart" ? formRequests(target) : [
    ...(operation.body === "json" ? jsonRequests(target) : queryRequests(target)),
    // What turns out to be in shape goes out as someone who may do nothing.
    fc.record({ sender: mighty, input: mistyped(operation, ids) }).map(({ sender, input }) => {
      const mustFail = !isInShape(target, input);
      return {
        kind: "mistyped",
        ...requestOf(target, input),
        sender: mustFail ? sender : "stranger" as const,
        mustFail,
      };
    }),
    fc.record({ sender: anyone, input: strange(operation, ids) })
      .map(({ sender, input }) => ({ kind: "strange", ...requestOf(target, input), sender, mustFail: false })),
    ...[astray(operation, ids)].filter((input) => input !== null).map((inputs) =>
      fc.record({ sender: mighty, input: inputs }).map(({ sender, input }) => ({
        kind: "astray",
        ...requestOf(target, input),
        sender,
        // Reading such a name finds nothing; writing it is refused.
        mustFail: true,
      }))
    ),
  ];
  if (operation.callers.length > 0 && operation.body !== "multipart") {
    kinds.push(
      fc.record({ input: inputOf(operation, ids), number: fc.nat(badCredentials - 1) }).map(({ input, number }) => ({
        kind: "bad credentials",
        ...requestOf(target, input),
        sender: `bad credentials ${number}` as const,
        mustFail: true,
      })),
    );
  }
  return fc.tuple(fc.oneof(...kinds), oddHeaders)
    .map(([request, headers]) => ({ ...request, headers: { ...headers, ...request.headers } }))
    .filter(isOnItsPath);
}
