// Claims about resumable uploads to Storage, made with the client that the platform's documentation names.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Upload as ReceivedUpload } from "@tus/server";
import { Readable } from "node:stream";
import { type DetailedError, Upload, type UploadOptions } from "tus-js-client";
import { UploadStore } from "../../local/storage/upload_store.ts";
import { waitUntilBlocking } from "../support/transactions.ts";
import {
  bucket,
  limitedBucket,
  noise,
  ok,
  publishableKey,
  setUp,
  signUp,
  sql,
  tearDown,
  url,
  type User,
} from "./storage_fixture.ts";

let user: User;
let stranger: User;

Deno.test.beforeAll(async () => {
  await setUp();
  [user, stranger] = await Promise.all([signUp(), signUp()]);
});
Deno.test.afterAll(tearDown);

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `storage: ${name}`, fn, sanitizeOps: false, sanitizeResources: false });

const own = (name: string) => `own/${user.id}/${name}`;
const ENDPOINT = `${url}/storage/v1/upload/resumable`;

async function headersOf({ client }: User): Promise<Record<string, string>> {
  const { data } = await client.auth.getSession();
  return { apikey: publishableKey, authorization: `Bearer ${data.session?.access_token}` };
}

interface Fields extends Partial<UploadOptions> {
  who?: User;
  bucketName?: string;
  contentType?: string;
}

/** Uploads and answers "done", or the status and body of the refusal. */
async function send(objectName: string, bytes: Uint8Array, fields: Fields = {}): Promise<string> {
  const { who = user, bucketName = bucket, contentType = "text/plain", headers, ...options } = fields;
  const metadata = { bucketName, objectName, contentType, cacheControl: "60", metadata: '{"kind":"test"}' };
  const sent = { ...await headersOf(who), ...headers };
  return await new Promise((resolve) =>
    new Upload(Buffer.from(bytes), {
      endpoint: ENDPOINT,
      headers: sent,
      metadata,
      chunkSize: 6 * 1024 * 1024,
      retryDelays: [],
      onSuccess: () => resolve("done"),
      onError: (error) => {
        const response = (error as DetailedError).originalResponse;
        resolve(response ? `${response.getStatus()} ${response.getBody().trim()}` : error.message);
      },
      ...options,
    }).start()
  );
}

const read = async (name: string) =>
  new Uint8Array(await (await ok(user.client.storage.from(bucket).download(name))).arrayBuffer());

test("a resumable upload is an object like any other, with its type, cache control and metadata", async () => {
  const bytes = noise(7_000_000);
  assertEquals(await send(own("tus.txt"), bytes), "done");
  assertEquals(await read(own("tus.txt")), bytes);
  const info = await ok(user.client.storage.from(bucket).info(own("tus.txt")));
  assertEquals([info.size, info.contentType, info.cacheControl, info.metadata], [
    bytes.length,
    "text/plain",
    "max-age=60",
    { kind: "test" },
  ]);
});

test("a resumable upload asks the policies who may write there", async () => {
  const refused = "403 new row violates row-level security policy";
  assertEquals(await send(own("not mine.txt"), noise(10), { who: stranger }), refused);
});

test("a resumable upload replaces an object only with x-upsert", async () => {
  await ok(user.client.storage.from(bucket).upload(own("there.txt"), "old"));
  assertEquals(await send(own("there.txt"), noise(10)), "409 The resource already exists");
  assertEquals(await send(own("there.txt"), noise(10), { headers: { "x-upsert": "true" } }), "done");
  assertEquals(await read(own("there.txt")), noise(10));
});

test("a resumable upload keeps to the bucket's size and types", async () => {
  const limited = { bucketName: limitedBucket };
  assertEquals(await send(own("a.txt"), noise(1000), limited), "done");
  assertEquals(await send(own("b.txt"), noise(1001), limited), "413 Maximum size exceeded");
  const unannounced = { ...limited, uploadLengthDeferred: true, uploadSize: null };
  assertEquals((await send(own("c.txt"), noise(1001), unannounced)).slice(0, 3), "413");
  const refused = "415 mime type video/mp4 is not supported";
  assertEquals(await send(own("d.mp4"), noise(10), { ...limited, contentType: "video/mp4" }), refused);
});

test("a resumable upload of nothing is an empty object", async () => {
  assertEquals(await send(own("empty.txt"), noise(0)), "done");
  assertEquals((await read(own("empty.txt"))).length, 0);
});

/** Begins an upload by hand and sends a part of it; answers its address. */
async function begin(
  objectName: string,
  total: number,
  sent: number,
  headers: Record<string, string>,
): Promise<string> {
  const metadata = Object.entries({ bucketName: bucket, objectName, contentType: "text/plain" })
    .map(([name, value]) => `${name} ${btoa(value)}`).join();
  const tus = { ...headers, "tus-resumable": "1.0.0" };
  const created = await fetch(headers["x-signature"] ? `${ENDPOINT}/sign` : ENDPOINT, {
    method: "POST",
    headers: { ...tus, "upload-length": String(total), "upload-metadata": metadata },
  });
  assertEquals(created.status, 201, await created.text());
  const address = created.headers.get("location") ?? "";
  assertEquals((await patch(address, noise(sent), 0, headers)).status, 204);
  return address;
}

async function patch(address: string, body: Uint8Array<ArrayBuffer>, offset: number, headers: Record<string, string>) {
  const type = { "content-type": "application/offset+octet-stream", "tus-resumable": "1.0.0" };
  const response = await fetch(address, {
    method: "PATCH",
    headers: { ...headers, ...type, "upload-offset": String(offset) },
    body,
  });
  await response.body?.cancel();
  return response;
}

async function offsetOf(address: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(address, { method: "HEAD", headers: { ...headers, "tus-resumable": "1.0.0" } });
  return response.headers.get("upload-offset") ?? String(response.status);
}

test("what has arrived of a resumable upload is nobody's to read, and nobody else's to go on with", async () => {
  const mine = await headersOf(user);
  const address = await begin(own("half.txt"), 100, 50, mine);
  assertEquals(await offsetOf(address, mine), "50");
  assert((await user.client.storage.from(bucket).download(own("half.txt"))).error);
  const theirs = await headersOf(stranger);
  assertEquals(await offsetOf(address, theirs), "403");
  assertEquals((await patch(address, noise(50), 50, theirs)).status, 403);
  assertEquals((await patch(address, noise(50), 50, {})).status, 403);
  assertEquals((await fetch(address, { headers: mine })).status, 400);
  assertEquals((await patch(address, noise(50), 40, mine)).status, 409);
  assertEquals((await patch(address, noise(50), 50, mine)).status, 204);
  assertEquals((await read(own("half.txt"))).length, 100);
  // The answer to the last part may be lost: whoever asks again is told that all is there.
  assertEquals(await offsetOf(address, { ...mine, "x-upsert": "true" }), "100");
});

test("a signed upload token is enough for a resumable upload to its place, and for no other", async () => {
  const { token } = await ok(user.client.storage.from(bucket).createSignedUploadUrl(own("signed.txt")));
  const signed = { "x-signature": token };
  const address = await begin(own("signed.txt"), 100, 50, signed);
  assertEquals((await patch(address, noise(50), 50, { "x-signature": `${token}x` })).status, 400);
  assertEquals((await patch(address, noise(50), 50, {})).status, 400);
  assertEquals((await patch(address, noise(50), 50, signed)).status, 204);
  assertEquals((await read(own("signed.txt"))).length, 100);
  const elsewhere = { endpoint: `${ENDPOINT}/sign`, headers: signed };
  assertEquals(await send(own("elsewhere.txt"), noise(10), elsewhere), "400 Invalid signature");
});

test("a piece of nothing after the last one leaves the object as it is", async () => {
  const mine = { ...await headersOf(user), "x-upsert": "true" };
  const address = await begin(own("nothing more.txt"), 100, 100, mine);
  assertEquals((await patch(address, noise(0), 100, mine)).status, 204);
  assertEquals(await read(own("nothing more.txt")), noise(100));
});

test("who asks for an upload that is becoming an object is told what came of it", async () => {
  const name = own("taken meanwhile.txt");
  const { token } = await ok(user.client.storage.from(bucket).createSignedUploadUrl(name));
  const signed = { "x-signature": token };
  const address = await begin(name, 100, 50, signed);
  const answers = await sql.begin(async (tx) => {
    await tx`insert into storage.objects (bucket_id, name, metadata) values (${bucket}, ${name}, '{}')`;
    const last = patch(address, noise(50), 50, signed);
    const [holder] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await waitUntilBlocking(sql, holder!);
    const told = offsetOf(address, signed);
    // Whoever is answered before the others is answered by now.
    for (let others = 0; others < 20; others++) await offsetOf(`${address}0`, signed);
    return { last, told };
  });
  assertEquals([(await answers.last).status, await answers.told], [409, "404"]);
});

test("an upload that a crash kept from becoming an object lacks its last byte, and one that became one nothing", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const received = new UploadStore({ directory });
    await received.create(new ReceivedUpload({ id: "whole", size: 10, offset: 0 }));
    await received.write(Readable.from([noise(10)]), "whole", 0);
    const restarted = new UploadStore({ directory });
    assertEquals((await restarted.getUpload("whole")).offset, 9);
    await restarted.settle("whole");
    assertEquals((await new UploadStore({ directory }).getUpload("whole")).offset, 10);
    assertEquals((await Deno.stat(`${directory}/whole`)).size, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("a resumable upload can be given up, and is gone then", async () => {
  const mine = await headersOf(user);
  const address = await begin(own("given up.txt"), 100, 50, mine);
  const given = await fetch(address, { method: "DELETE", headers: { ...mine, "tus-resumable": "1.0.0" } });
  assertEquals(given.status, 204);
  assertEquals(await offsetOf(address, mine), "404");
});

test("a resumable upload says when it expires: a day after it began", async () => {
  const mine = await headersOf(user);
  const address = await begin(own("expires.txt"), 100, 50, mine);
  const response = await patch(address, noise(10), 50, mine);
  const hours = (Date.parse(response.headers.get("upload-expires") ?? "") - Date.now()) / 3_600_000;
  assert(hours > 23.9 && hours <= 24, `${hours} hours`);
});

test("pages of any origin may upload resumably and read what they are told", async () => {
  const asked = await fetch(ENDPOINT, {
    method: "OPTIONS",
    headers: {
      origin: "https://app.example.com",
      "access-control-request-method": "PATCH",
      "access-control-request-headers": "upload-offset,tus-resumable,x-signature",
    },
  });
  assertEquals(asked.headers.get("access-control-allow-headers"), "upload-offset,tus-resumable,x-signature");
  const told = await fetch(ENDPOINT, { method: "OPTIONS", headers: { origin: "https://app.example.com" } });
  assertEquals([told.status, told.headers.get("tus-version")], [204, "1.0.0"]);
  const exposed = told.headers.get("access-control-expose-headers") ?? "";
  for (const name of ["Location", "Upload-Offset", "Upload-Length"]) assert(exposed.includes(name), exposed);
});

test("an upload of nothing lacks nothing, and is gone when it expires", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const store = new UploadStore({ directory, expirationPeriodInMilliseconds: 1000 });
    const creation_date = new Date(Date.now() - 2000).toISOString();
    await store.create(new ReceivedUpload({ id: "empty", size: 0, offset: 0, creation_date }));
    assertEquals((await store.getUpload("empty")).offset, 0);
    await store.settle("empty");
    assertEquals(await store.deleteExpired(), 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
