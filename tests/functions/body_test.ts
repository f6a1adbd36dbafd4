// What holds for the body of every route: content type, size, syntax, and text that PostgreSQL cannot keep.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Person, signUp } from "../support/actors.ts";
import { assertRefused, call } from "../support/http.ts";
import { receiveBody, weigh } from "../../supabase/functions/_shared/body.ts";
import { OperationError } from "../../supabase/functions/_shared/errors.ts";
import { inTurn } from "../../supabase/functions/_shared/turns.ts";
import { JSON_ROUTES, ROUTES } from "./routes.ts";

let signedUp: Promise<Person> | undefined;
const person = () => signedUp ??= signUp();
const NOBODYS = "00000000-0000-4000-8000-000000000000";
const JSON_TYPE = { "content-type": "application/json" };

const bytes = (...values: number[]) => new Uint8Array(values);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Spaces up to that size, in pieces, so that no content-length is sent. */
function chunked(size: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = Math.min(65_536, size - sent);
      if (piece === 0) return controller.close();
      sent += piece;
      controller.enqueue(new Uint8Array(piece).fill(32));
    },
  });
}

const NOT_JSON: [string, Uint8Array | string | undefined][] = [
  ["an empty body", ""],
  ["no body", undefined],
  ["a word", "nope"],
  ["an unfinished object", '{"a":'],
  ["quotes of JavaScript", "{'a': 1}"],
  ["a comma at the end", '{"a": 1,}'],
  ["NaN", '{"a": NaN}'],
  ["two values", "{} {}"],
  ["UTF-8 that ends in the middle of a character", bytes(0x22, 0xe2, 0x82)],
  ["UTF-8 with a broken character in it", new Uint8Array([...utf8('{"a":"'), 0xff, ...utf8('"}')])],
  ["UTF-16", bytes(0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00)],
  ["compressed bytes", bytes(0x1f, 0x8b, 0x08, 0x00)],
];

const NO_OBJECT = ["null", "[]", '"text"', "1", "true"];

const deep = (depth: number) => `${'{"n":'.repeat(depth)}1${"}".repeat(depth)}`;

/** What cannot be stored, as the value of x.y in a body, and where the fault is. */
const UNSTORABLE: [string, string, string][] = [
  ["a NUL", '"a\\u0000b"', "x.y"],
  ["half of a surrogate pair", '"\\ud800"', "x.y"],
  ["the other half", '"\\udc00\\ud800"', "x.y"],
  ["a NUL in a list", '[1,["ok","\\u0000"]]', "x.y.1.1"],
  ["a NUL in a name", '{"a\\u0000":1}', "x.y"],
  ["half of a pair in a name", '{"\\ud83d":1}', "x.y"],
  ["the name __proto__", '{"__proto__":{"admin":true}}', "x.y"],
  ["a number without end", "1e400", "x.y"],
  ["a negative number without end", "-1e400", "x.y"],
  ["a whole number that would be rounded", "9007199254740993", "x.y"],
];

for (const { path, operation } of ROUTES.filter((route) => route.operation.body !== "none")) {
  Deno.test(`body: /${path} takes no other content type`, async () => {
    const wrong = [
      "text/plain",
      "application/jsonx",
      "application/x-www-form-urlencoded",
      "text/json",
      "application/xml",
      "",
    ];
    wrong.push(
      operation.body === "json" ? "multipart/form-data; boundary=x" : "application/json",
      "multipart/form-data",
    );
    for (const type of wrong) {
      const reply = await call(await person(), path, utf8("{}"), { headers: type ? { "content-type": type } : {} });
      assertRefused(reply, "unsupported_media_type");
    }
  });

  Deno.test(`body: /${path} does not read the body of who may not call`, async () => {
    assertRefused(await call("nobody", path, chunked(4 * 1_048_576), { headers: JSON_TYPE }), "unauthorized");
  });
}

for (const { path, operation } of JSON_ROUTES) {
  const limit = operation.maxBodyBytes ?? 1_048_576;

  Deno.test(`body: /${path} takes application/json with parameters and in capitals`, async () => {
    for (const type of ["application/json; charset=utf-8", "Application/JSON"]) {
      const reply = await call(await person(), path, "{}", { headers: { "content-type": type } });
      assertRefused(reply, "validation_failed");
    }
  });

  Deno.test(`body: /${path} refuses one byte over its limit, told or counted, and takes the last one`, async () => {
    const sender = await person();
    const sized = (size: number) => call(sender, path, new Uint8Array(size).fill(32), { headers: JSON_TYPE });
    assertRefused(await sized(limit + 1), "payload_too_large");
    assertRefused(await call(sender, path, chunked(limit + 1), { headers: JSON_TYPE }), "payload_too_large");
    assertRefused(await sized(limit), "malformed_json");
  });

  Deno.test(`body: /${path} refuses what is no JSON in UTF-8`, async () => {
    for (const [claim, body] of NOT_JSON) {
      const reply = await call(await person(), path, body, { headers: JSON_TYPE });
      assertEquals(reply.status, 400, `${claim}: got ${reply.status} ${JSON.stringify(reply.body)}`);
      assertRefused(reply, "malformed_json");
    }
  });

  Deno.test(`body: /${path} refuses JSON that is no object`, async () => {
    for (const body of NO_OBJECT) {
      assertRefused(await call(await person(), path, body, { headers: JSON_TYPE }), "validation_failed");
    }
  });

  Deno.test(`body: /${path} names every field that is missing`, async () => {
    const reply = await call(await person(), path, {});
    assertRefused(reply, "validation_failed");
    const fields: { path: string; message: string }[] = reply.body.error.details.fields;
    assert(fields.length > 0);
    for (const field of fields) assertEquals(Object.keys(field).sort(), ["message", "path"]);
    const missing = operation.input.safeParse({}).error?.issues.map((issue) => issue.path.join("."));
    // Where the contract needs none, it is the database that misses one.
    if (missing) assertEquals(fields.map((field) => field.path), missing);
  });

  Deno.test(`body: /${path} refuses what cannot be stored, and says where it is`, async () => {
    for (const [claim, value, where] of UNSTORABLE) {
      const reply = await call(await person(), path, `{"x":{"z":"fine","y":${value}}}`, { headers: JSON_TYPE });
      assertRefused(reply, "validation_failed");
      assertEquals(reply.body.error.details.fields.map((field: { path: string }) => field.path), [where], claim);
    }
  });

  Deno.test(`body: /${path} refuses JSON nested 200 or 200,000 levels deep`, async () => {
    for (const depth of [200, 200_000]) {
      const body = depth * 6 > limit ? "[".repeat(limit / 4) + "]".repeat(limit / 4) : deep(depth);
      const reply = await call(await person(), path, body, { headers: JSON_TYPE });
      assertRefused(reply, "validation_failed");
      const [field] = reply.body.error.details.fields;
      assert(/^([n0]\.)+/.test(field.path) && field.path.length < 1000, `The path is ${field.path.slice(0, 100)}`);
    }
  });
}

/** An object of that many names, as the value of input.list.0 in a body. */
const named = (names: number) => ({
  workflow_id: NOBODYS,
  input: { list: [Object.fromEntries(Array.from({ length: names }, (_, index) => [`n${index}`, 1]))] },
});

Deno.test("body: an object of more than 20,000 names is refused, as the database would sort them uninterrupted", async () => {
  const reply = await call(await person(), "start-workflow", named(20_001));
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields, [{ path: "input.list.0", message: "has more than 20000 names" }]);
});

Deno.test("body: an object of 20,000 names is taken", async () => {
  assertRefused(await call(await person(), "start-workflow", named(20_000)), "workflow_not_found");
});

Deno.test("body: text of any script, emoji and line ends is stored as it came", async () => {
  const { id, client } = await person();
  const { data: project } = await client.from("projects").insert({ name: "A project", owner_id: id }).select("id")
    .single();
  const content = "ascii \t\r\n ü é ñ 漢字 العربية 👩‍👩‍👧 \u0001\u001f\u007f\u0085\u2028\ufeff\uffff";
  const metadata = { "名": content, constructor: 1, n: [0.1, -0, 1e21 / 1e6, 9007199254740991, null, true], "": "" };
  const reply = await call(await person(), "save-artifact", {
    project_id: project?.id,
    file_path: "a",
    content,
    metadata,
  });
  assertEquals(reply.status, 201);
  assertEquals(reply.body.artifact.content, content);
  assertEquals(reply.body.artifact.metadata, JSON.parse(JSON.stringify(metadata)));
});

const TOO_LARGE: [string, Record<string, unknown>, string][] = [
  ["upload-file/share", { file_id: NOBODYS, expires_in_seconds: 2_592_001 }, "expires_in_seconds"],
  ["start-workflow/roll-back", { workflow_id: NOBODYS, to_version: 2_147_483_648 }, "to_version"],
  [
    "complete-task",
    { task_id: NOBODYS, lease_token: NOBODYS, status: "completed", execution_time_ms: 2_147_483_648 },
    "execution_time_ms",
  ],
];
for (const [path, body, field] of TOO_LARGE) {
  Deno.test(`body: a number that is too large, as ${field}, is validation_failed and no large text`, async () => {
    const reply = await call(await person(), path, body);
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields.map((each: { path: string }) => each.path), [field]);
  });
}

/** How many of twenty bodies of that size are worked at at once, where every third one fails. */
async function mostAtOnce(bytes: number, holder?: string): Promise<{ most: number; done: number }> {
  let [running, most] = [0, 0];
  const work = async (index: number) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    if (index % 3 === 0) throw new Error("refused");
  };
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => inTurn(bytes, () => work(index), holder)),
  );
  return { most, done: all.filter(({ status }) => status === "fulfilled").length };
}

Deno.test("body: four of more than 1 MiB are worked at at once, and each has its turn, whatever becomes of the others", async () => {
  assertEquals(await mostAtOnce(1_048_577), { most: 4, done: 13 });
});

Deno.test("body: of one person's large ones so many wait that others have their turn", async () => {
  assertEquals(await mostAtOnce(1_048_577, "a person"), { most: 2, done: 13 });
});

Deno.test("body: smaller ones wait for none", async () => {
  assertEquals(await mostAtOnce(1_048_576), { most: 20, done: 13 });
});

Deno.test("body: a small one of hardly anything but values has its turn like a large one", async () => {
  assertEquals(await mostAtOnce(weigh(utf8(`[${"{},".repeat(100_000)}0]`))), { most: 4, done: 13 });
});

Deno.test("body: a text of a hundred thousand commas and brackets is one value, and waits for none", async () => {
  assertEquals((await mostAtOnce(weigh(utf8(JSON.stringify({ content: '[{,:"\\'.repeat(50_000) }))))).most, 20);
});

Deno.test("body: names count like values, as those that differ cost most: 300,001 of both are refused", async () => {
  const body = utf8(`[${Array.from({ length: 300_001 }, (_, index) => `{"n${index}":1}`)}]`);
  await assertRejects(() => Promise.try(weigh, body), OperationError, "at most 600000 values and names");
});

const PIECE = 65_536;
const MEBIBYTE_OF_PIECES = 16;

/** Bodies that stall as soon as they are read beyond 1 MiB, which `readOn` counts, until `end` breaks them off. */
function stallingBodies() {
  const controllers: ReadableByteStreamController[] = [];
  const seen = { sent: 0, readOn: 0 };
  const make = () => {
    let sent = 0;
    return new ReadableStream({
      type: "bytes",
      start: (controller) => void controllers.push(controller),
      pull(controller) {
        if (sent++ > MEBIBYTE_OF_PIECES) {
          seen.readOn++;
          return new Promise<void>(() => {});
        }
        seen.sent++;
        controller.enqueue(new Uint8Array(PIECE));
      },
    });
  };
  return { make, seen, end: () => controllers.forEach((controller) => controller.error(new Error("gone"))) };
}

const receive = (body: ReadableStream, holder: string) =>
  receiveBody(
    new Request("http://x", { method: "POST", body }),
    16 * 1_048_576,
    holder,
    (bytes) => Promise.resolve(bytes.byteLength),
  );

Deno.test("body: of one person's large ones that stall four are read on, and another person's is read to its end", async () => {
  const { make, seen, end } = stallingBodies();
  const stalled = Array.from({ length: 12 }, () => receive(make(), "a person"));
  const settled = Promise.allSettled(stalled);
  while (seen.sent < 12 * (MEBIBYTE_OF_PIECES + 1)) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(await receive(chunked(3 * 1_048_576), "another"), 3 * 1_048_576);
  assertEquals(seen.readOn, 4);
  end();
  assertEquals(
    (await settled).map((each) => each.status === "rejected" && each.reason.code),
    Array(12).fill("malformed_json"),
  );
});
