// Values that a careful caller never sends: what JSON can say and nobody can keep, text that means something to some
// program on the way, and ids, numbers and paths that are nearly right.
import fc from "fast-check";

const deep = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;

/** JSON, as it is written, that must be refused wherever in a body it stands. */
export const unstorable = fc.oneof(
  fc.constantFrom(
    "1e400",
    "-1e999999",
    "9007199254740993",
    "-123456789012345678901234567890",
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '{"\\u0000":1}',
    '{"\\ud83d":1}',
    '{"__proto__":{"isAdmin":true}}',
    '{"a":{"__proto__":null}}',
    '[[["__proto__",{"__proto__":[]}]]]',
  ),
  fc.integer({ min: 101, max: 2000 }).map((depth) => deep(depth, "[", "]")),
  fc.integer({ min: 101, max: 2000 }).map((depth) => deep(depth, '{"a":', "}")),
  fc.integer({ min: 17, max: 400 }).map((digits) => "9".repeat(digits)),
);

/** Text that means something to a shell, a template, a regular expression, SQL, HTML, a log or a terminal. */
export const oddText = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "'; drop table public.projects; --",
    "' or 1=1 --",
    '"); select pg_sleep(9); --',
    "\\",
    "\\x00",
    "%00",
    "%s%n%d",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "$(id)",
    "<script>alert(1)</script>",
    '$.** ? (@ like_regex "(a+)+$")',
    "((((((a*)*)*)*)*)*)*$",
    "\u202egpj.exe",
    "\ufeff",
    "\u2028\u2029",
    "\u0001\u001b[31m",
    "a\r\nx-injected: 1",
    "ﷺ".repeat(200),
    "e\u0301".repeat(300),
    "👩‍👩‍👧".repeat(50),
    "constructor",
    "toString",
    "null",
    "NaN",
    "true",
    "0x10",
    "١٢٣",
    "1e3",
  ),
  fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed() && !text.includes("\0")),
  fc.integer({ min: 0, max: 20_000 }).map((length) => "x".repeat(length)),
);

/** Names of files that would lead out of their project, or be no name at all. */
export const badPath = fc.oneof(
  fc.constantFrom(
    "../secret",
    "a/../../b",
    "..",
    ".",
    "./a",
    "a/./b",
    "a/..",
    "/etc/passwd",
    "//host/share",
    "a//b",
    "a/",
    "a\nb",
    "a\u0007b",
    "a\u0085b",
    "\u001b[2J",
    "../".repeat(300) + "etc/passwd",
    "é".repeat(513),
  ),
  fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom("a", ".", "/") }).map((name) => `../${name}`),
);

/** Names that only look as if they led somewhere else; they may be stored, as what they are. */
export const oddPath = fc.constantFrom(
  "․․/a",
  "..∕a",
  "．．/a",
  "..%2fa",
  "%2e%2e/a",
  "..\\a",
  "C:\\a",
  "CON",
  "a\u202etxt.exe",
  "~/.ssh/id",
  "file:///etc/passwd",
  ".git/config",
  "...",
  "a".repeat(1024),
);

/** What is written like a UUID and is none. */
export const badId = fc.constantFrom(
  "",
  "0",
  "null",
  "undefined",
  "*",
  "00000000-0000-4000-8000-00000000000",
  "00000000-0000-4000-8000-0000000000000",
  "00000000-0000-4000-8000-00000000000g",
  "{00000000-0000-4000-8000-000000000000}",
  "00000000000040008000000000000000",
  "urn:uuid:00000000-0000-4000-8000-000000000000",
  "００000000-0000-4000-8000-000000000000",
  "00000000-0000-4000-8000-000000000000' or '1'='1",
  " 00000000-0000-4000-8000-000000000000",
  "00000000-0000-4000-8000-000000000000\n",
);

/** Numbers at the edges of what some program can count. */
export const oddNumber = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    -1,
    0.5,
    1e21,
    1e308,
    -1e308,
    5e-324,
    2 ** 31,
    2 ** 31 - 1,
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 53 - 1,
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
  fc.integer(),
);

/** Any value in the place of any other. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], { length: 1 }, { toString: 1 }, {
    constructor: {},
  }),
  oddNumber,
  oddText,
  badId,
  fc.uuid(),
  fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" }),
  fc.integer({ min: 101, max: 3000 }).map((length) => Array(length).fill(0)),
  fc.integer({ min: 50, max: 500 }).map((length) =>
    Object.fromEntries(Array.from({ length }, (_, key) => [`k${key}`, 1]))
  ),
);
