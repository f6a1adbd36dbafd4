// Claims about what Storage never does: show half an object, lose one of two writers, hold a file in memory.
import v8 from "node:v8";
import vm from "node:vm";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createStorage } from "../../local/storage/mod.ts";
import { FileStore } from "../../local/storage/files.ts";
import { sweep } from "../../local/storage/sweep.ts";
import {
  bucket,
  noise,
  ok,
  publishableKey,
  secret,
  setUp,
  signUp,
  sql,
  tearDown,
  url,
  type User,
} from "./storage_fixture.ts";

v8.setFlagsFromString("--expose-gc");
const collectGarbage: () => void = vm.runInNewContext("gc");

let user: User;
Deno.test.beforeAll(async () => {
  await setUp();
  user = await signUp();
});
Deno.test.afterAll(tearDown);

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `storage: ${name}`, fn, sanitizeOps: false, sanitizeResources: false });
const own = (name: string) => `own/${user.id}/${name}`;
const files = () => user.client.storage.from(bucket);

/** Sends an upload that ends in the middle of its body, the way a killed client does. */
async function cutUpload(name: string, contentType: string, start: Uint8Array, announced: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const { data } = await user.client.auth.getSession();
  const connection = await Deno.connect({ hostname, port: Number(port || 80) });
  const head = [
    `POST /storage/v1/object/${bucket}/${name} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `apikey: ${publishableKey}`,
    `authorization: Bearer ${data.session?.access_token}`,
    "x-upsert: true",
    `content-type: ${contentType}`,
    `content-length: ${announced}`,
  ];
  await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
  for (let sent = 0; sent < start.length;) sent += await connection.write(start.subarray(sent));
  await new Promise((resolve) => setTimeout(resolve, 300));
  connection.close();
  await new Promise((resolve) => setTimeout(resolve, 300));
}

const part = (data: Uint8Array<ArrayBuffer>) =>
  new Blob([
    '--b\r\ncontent-disposition: form-data; name=""; filename="blob"\r\ncontent-type: text/plain\r\n\r\n',
    data,
  ]);

test("an upload cut off in the middle leaves nothing", async () => {
  await cutUpload(own("cut-raw"), "text/plain", noise(300_000), 1_000_000);
  await cutUpload(own("cut-form"), "multipart/form-data; boundary=b", await part(noise(300_000)).bytes(), 1_000_000);
  assertEquals(await ok(files().list(`own/${user.id}`, { search: "cut-" })), []);
  const [row] = await sql`select count(*)::int as rows from storage.objects where name like ${own("cut-%")}`;
  assertEquals(row?.rows, 0);
});

test("an upsert cut off in the middle leaves the old content", async () => {
  await ok(files().upload(own("kept"), "whole"));
  await cutUpload(own("kept"), "text/plain", noise(300_000), 1_000_000);
  assertEquals(await (await ok(files().download(own("kept")))).text(), "whole");
});

test("a multipart body that ends without its last boundary is refused", async () => {
  const body = part(noise(1000));
  const { data } = await user.client.auth.getSession();
  const response = await fetch(`${url}/storage/v1/object/${bucket}/${own("open-end")}`, {
    method: "POST",
    headers: {
      apikey: publishableKey,
      authorization: `Bearer ${data.session?.access_token}`,
      "content-type": "multipart/form-data; boundary=b",
    },
    body: await body.bytes(),
  });
  assertEquals([response.status, (await response.json()).error], [400, "InvalidRequest"]);
  assertEquals((await files().exists(own("open-end"))).data, false);
});

test("of many simultaneous uploads to one new name exactly one is accepted, whole", async () => {
  const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(50_000));
  const answers = await Promise.all(contents.map((text) => files().upload(own("race"), text)));
  const accepted = answers.flatMap(({ error }, i) => error ? [] : [i]);
  assertEquals(accepted.length, 1);
  assertEquals(await (await ok(files().download(own("race")))).text(), contents[accepted[0] ?? -1]);
});

test("simultaneous upserts of one name leave one of the contents, whole, and every download is whole", async () => {
  const write = (i: number) => files().update(own("upserts"), String(i % 10).repeat(50_000));
  await ok(write(0));
  let writing = true;
  const read = async () => {
    while (writing) {
      const text = await (await ok(files().download(own("upserts")))).text();
      assertEquals(text, (text[0] ?? "").repeat(50_000));
    }
  };
  const readers = Promise.all([read(), read(), read(), read()]);
  readers.catch(() => {}); // Awaited below.
  for (let i = 0; i < 20; i++) {
    for (const { error } of await Promise.all([write(i), write(i + 1), write(i + 2)])) assertEquals(error, null);
  }
  writing = false;
  await readers;
});

test("SQL cannot delete objects behind the service's back", async () => {
  await assertRejects(
    async () => await sql`delete from storage.objects where bucket_id = ${bucket}`,
    Error,
    "Direct deletion from storage tables is not allowed",
  );
});

test("60 MB stream through the service, raw and multipart, in a few megabytes of memory", async () => {
  const directory = await Deno.makeTempDir();
  const service = createStorage({ sql, directory, signingSecret: "a secret only for this test, long enough" });
  let peak = 0;
  async function* stream(first: string, last: string) {
    yield new TextEncoder().encode(first);
    for (let i = 0; i < 960; i++) {
      yield new Uint8Array(64 * 1024);
      // What is live counts; when garbage is collected depends on how busy the machine is.
      if (i % 96 === 95) {
        collectGarbage();
        peak = Math.max(peak, Deno.memoryUsage().external);
      }
    }
    yield new TextEncoder().encode(last);
  }
  const send = async (name: string, contentType: string, first = "", last = "") => {
    const request = new Request(`http://storage/storage/v1/object/${bucket}/${name}`, {
      method: "POST",
      headers: { "content-type": contentType, "x-upsert": "true" },
      body: ReadableStream.from(stream(first, last)),
    });
    const response = await service.fetch(request, { role: "service_role", claims: { role: "service_role" } });
    assertEquals(response.status, 200, await response.text());
  };
  const multipart = ["multipart/form-data; boundary=b", await part(new Uint8Array()).text(), "\r\n--b--\r\n"] as const;
  try {
    await send("memory/raw", "text/plain"); // The first run pays for what any run needs.
    await send("memory/form", ...multipart);
    collectGarbage();
    const before = peak = Deno.memoryUsage().external;
    await send("memory/raw", "text/plain");
    await send("memory/form", ...multipart);
    const grown = (peak - before) / 2 ** 20;
    assert(grown < 20, `Expected less than 20 MiB more memory, got ${grown.toFixed(1)}`);
    assertEquals((await ok(secret.storage.from(bucket).info("memory/form"))).size, 960 * 64 * 1024);
  } finally {
    await secret.storage.from(bucket).remove(["memory/raw", "memory/form"]);
    await Deno.remove(directory, { recursive: true });
  }
});

test("a sweep removes bytes that no row points at, and only those", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const store = new FileStore(directory);
    const receive = () => store.receive(ReadableStream.from([noise(10)]), 10);
    const [orphan, kept] = [await receive(), await receive()];
    await Deno.writeTextFile(`${store.uploads}/unfinished`, "x");
    await sql`insert into storage.objects (bucket_id, name, version) values (${bucket}, 'sweep/kept', ${kept.version})`;
    assertEquals(await sweep(sql, store), 0, "young files are left alone");
    assertEquals(await sweep(sql, store, 0), 2);
    await assertRejects(() => store.open(orphan.version), Deno.errors.NotFound);
    await (await store.open(kept.version)).cancel();
    await Deno.writeTextFile(`${store.versions}/.database`, "another database");
    await receive();
    assertEquals(await sweep(sql, store, 0), 0, "a directory of another database is left alone");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("of three moves of one object at once one succeeds, and the object is where that one says", async () => {
  const start = own("moved by three");
  await ok(files().upload(start, "x", { contentType: "text/plain" }));
  const targets = ["a", "b", "c"].map((name) => own(`moved to ${name}`));
  const moves: ReturnType<ReturnType<typeof files>["move"]>[] = [];
  await sql.begin(async (tx) => {
    await tx`select from storage.objects where bucket_id = ${bucket} and name = ${start} for update`;
    moves.push(...targets.map((target) => files().move(start, target)));
    for (const move of moves) move.catch(() => {});
    let waiting = 0;
    // For the row, or behind another file's tests that wait to change the policies meanwhile.
    while (waiting < targets.length) {
      const [row] = await sql<{ n: number }[]>`
        select count(*)::integer as n from pg_stat_activity
        where wait_event_type = 'Lock' and query ~ '(update|from) storage.objects'`;
      waiting = row?.n ?? 0;
    }
  });
  const answers = await Promise.all(moves);
  assertEquals(answers.filter(({ error }) => error === null).length, 1);
  const index = answers.findIndex(({ error }) => error === null);
  const found = await sql<{ name: string }[]>`
    select name from storage.objects where bucket_id = ${bucket} and name in ${sql([start, ...targets])}`;
  assertEquals(found.map(({ name }) => name), [targets[index] ?? ""]);
});

/** Sends JSON as no client library would make it, and answers the status that the body says. */
async function refusalOf(path: string, body: string): Promise<string> {
  const { data } = await user.client.auth.getSession();
  const headers = {
    apikey: publishableKey,
    authorization: `Bearer ${data.session?.access_token}`,
    "content-type": "application/json",
  };
  const response = await fetch(`${url}/storage/v1${path}`, { method: "POST", headers, body });
  return `${response.status} ${(await response.json()).code}`;
}

test("what the database cannot take is the caller's fault", async () => {
  const cursor = btoa('["no time","a"]');
  const requests: [string, string][] = [
    [`/object/list/${bucket}`, '{"prefix":"\\u0000"}'],
    [`/object/list/${bucket}`, '{"prefix":"","limit":2147483648}'],
    [`/object/list-v2/${bucket}`, '{"prefix":"\\u0000"}'],
    [`/object/list-v2/${bucket}`, `{"sortBy":{"column":"created_at"},"cursor":"${cursor}"}`],
    [`/object/sign/${bucket}`, '{"expiresIn":60,"paths":["\\u0000"]}'],
  ];
  for (const [path, body] of requests) {
    assertEquals([path, body, await refusalOf(path, body)], [path, body, "400 InvalidParameter"]);
  }
  const { error } = await files().upload(own("nul"), "text", { metadata: { a: "\0" } });
  assertEquals([error?.name, (error as { status?: number } | null)?.status], ["StorageApiError", 400]);
});

test("an object that no download could name the type of is refused, and leaves nothing", async () => {
  for (
    const [field, value] of [["contentType", "text/日本"], ["cacheControl", "1\r\nx-injected: 1"], [
      "contentEncoding",
      "日本",
    ]]
  ) {
    const form = new FormData();
    form.append(field, value);
    form.append("", new Blob(["text"], { type: "text/plain" }));
    const { error } = await files().upload(own(field), form);
    assertEquals([field, error?.message.includes("no value of a header")], [field, true]);
    assertEquals([field, (await files().exists(own(field))).data], [field, false]);
  }
});
