// Claims about the local Storage service, made with the unmodified supabase-js client over HTTP.
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  anon,
  bucket,
  bytes,
  limitedBucket,
  noise,
  ok,
  otherBucket,
  publishableKey,
  refusal,
  secret,
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

const files = (who: User = user, name = bucket) => who.client.storage.from(name);
const own = (name: string) => `own/${user.id}/${name}`;
const content = async (name: string) => await (await ok(files().download(name))).text();
const notAllowed = "403 new row violates row-level security policy";
const notFound = "404 Object not found";

const form = new FormData();
form.append("", new Blob(["form"]), "f.bin");
const bodies: Record<string, { body: Parameters<ReturnType<typeof files>["upload"]>[1]; text: string }> = {
  File: { body: new File(["file"], "a.txt", { type: "text/plain" }), text: "file" },
  Blob: { body: new Blob(["blob"]), text: "blob" },
  ArrayBuffer: { body: bytes("buffer").buffer, text: "buffer" },
  Uint8Array: { body: bytes("array"), text: "array" },
  ReadableStream: { body: new Blob(["stream"]).stream(), text: "stream" },
  FormData: { body: form, text: "form" },
  Buffer: { body: Buffer.from("node"), text: "node" },
  string: { body: "Grüße", text: "Grüße" },
  "empty Blob": { body: new Blob([]), text: "" },
};
for (const [kind, { body, text }] of Object.entries(bodies)) {
  test(`a ${kind} comes back as it was uploaded`, async () => {
    const name = own(`bodies/${kind}`);
    const uploaded = await ok(files().upload(name, body));
    assertEquals([uploaded.path, uploaded.fullPath], [name, `${bucket}/${name}`]);
    assertEquals(await content(name), text);
  });
}

test("a multipart file of several megabytes comes back byte for byte", async () => {
  const data = noise(5_000_001);
  await ok(files().upload(own("large"), new Blob([data])));
  assertEquals(await (await ok(files().download(own("large")))).bytes(), data);
});

test("info tells size, type, cache control and the caller's metadata, for a Blob as for bytes", async () => {
  for (const body of [new Blob(["12345"], { type: "image/png" }), bytes("12345")]) {
    const options = { contentType: "image/png", cacheControl: "60", metadata: { made: "by Ümit" }, upsert: true };
    await ok(files().upload(own("info"), body, options));
    const info = await ok(files().info(own("info")));
    assertEquals([info.size, info.contentType, info.cacheControl], [5, "image/png", "max-age=60"]);
    assertEquals(info.metadata as unknown, { made: "by Ümit" });
  }
});

test("the uploader owns the object", async () => {
  await ok(files().upload(own("owned"), "x"));
  const [row] = await sql`select owner, owner_id from storage.objects where name = ${own("owned")}`;
  assertEquals({ ...row }, { owner: user.id, owner_id: user.id });
});

test("a name that is taken is refused with 409 and keeps its content", async () => {
  await ok(files().upload(own("taken"), "first"));
  assertEquals(await refusal(files().upload(own("taken"), "second")), "409 The resource already exists");
  assertEquals(await content(own("taken")), "first");
});

test("an upsert replaces content and version but not the id", async () => {
  const before = await ok(files().upload(own("upsert"), "first", { upsert: true }));
  const version = (await ok(files().info(own("upsert")))).version;
  const after = await ok(files().upload(own("upsert"), new Blob(["second"]), { upsert: true }));
  assertEquals([after.id, await content(own("upsert"))], [before.id, "second"]);
  assertNotEquals((await ok(files().info(own("upsert")))).version, version);
});

test("update replaces the content", async () => {
  await ok(files().upload(own("update"), "first"));
  await ok(files().update(own("update"), "second"));
  assertEquals(await content(own("update")), "second");
});

test("an upload that no policy allows is refused with 403", async () => {
  assertEquals(await refusal(files().upload("elsewhere/x", "x")), notAllowed);
  assertEquals(await refusal(files(stranger).upload(own("x"), "x")), notAllowed);
  assertEquals(await refusal(anon.storage.from(bucket).upload(own("x"), "x")), notAllowed);
});

test("where only INSERT is allowed, an upload succeeds, an upsert and a download do not", async () => {
  await ok(files().upload("drop/a", "x"));
  assertEquals(await refusal(files().upload("drop/a", "y", { upsert: true })), notAllowed);
  assertEquals(await refusal(files().download("drop/a")), notFound);
});

test("where only SELECT is allowed, a download succeeds and nothing can be changed", async () => {
  await ok(secret.storage.from(bucket).upload("shared/a", "x"));
  assertEquals(await content("shared/a"), "x");
  assertEquals(await refusal(files().update("shared/a", "y")), notAllowed);
  assertEquals(await refusal(files().move("shared/a", own("stolen"))), notFound);
  assertEquals(await ok(files().remove(["shared/a"])), []);
  assertEquals(await content("shared/a"), "x");
});

test("a policy can tell the operation: what may only be signed cannot be downloaded", async () => {
  await ok(secret.storage.from(bucket).upload("signed/a", "x"));
  assertEquals(await refusal(files().download("signed/a")), notFound);
  const { signedUrl } = await ok(files().createSignedUrl("signed/a", 60));
  assertEquals(await (await fetch(signedUrl)).text(), "x");
});

test("to a stranger and to anon another user's object is not there", async () => {
  await ok(files().upload(own("private"), "x"));
  for (const other of [files(stranger), anon.storage.from(bucket)]) {
    assertEquals(await refusal(other.download(own("private"))), notFound);
    assertEquals(await refusal(other.info(own("private"))), notFound);
    assertEquals((await other.exists(own("private"))).data, false);
    assertEquals(await refusal(other.createSignedUrl(own("private"), 60)), notFound);
    assertEquals((await ok(other.createSignedUrls([own("private")], 60)))[0]?.signedUrl, null);
    assertEquals(await ok(other.list(`own/${user.id}`)), []);
    assertEquals((await ok(other.listV2({ prefix: "own/" }))).objects, []);
    assertEquals(await refusal(other.copy(own("private"), `own/${stranger.id}/copy`)), notFound);
    assertEquals(await refusal(other.move(own("private"), `own/${stranger.id}/moved`)), notFound);
    assertEquals(await ok(other.remove([own("private")])), []);
    assertEquals(await refusal(other.update(own("private"), "y")), notAllowed);
  }
  assertEquals(await content(own("private")), "x");
});

test("the secret key reads, changes and removes every object", async () => {
  const all = secret.storage.from(bucket);
  await ok(files().upload(own("for secret"), "x"));
  assertEquals(await (await ok(all.download(own("for secret")))).text(), "x");
  await ok(all.update(own("for secret"), "y"));
  assertEquals((await ok(all.remove([own("for secret")]))).length, 1);
  assertEquals(await refusal(files().download(own("for secret"))), notFound);
});

test("exists says true for what is there", async () => {
  await ok(files().upload(own("exists"), "x"));
  assertEquals((await files().exists(own("exists"))).data, true);
  assertEquals((await files().exists(own("exists not"))).data, false);
});

test("list shows folders without an id, and honours limit, offset, order and search", async () => {
  for (const name of ["b.txt", "a.txt", "sub/c.txt", "sub/d.txt"]) await ok(files().upload(own(`list/${name}`), name));
  const list = async (options?: Parameters<ReturnType<typeof files>["list"]>[1]) =>
    (await ok(files().list(own("list"), options))).map(({ name }) => name);
  const entries = await ok(files().list(own("list")));
  assertEquals(entries.map(({ name, id }) => [name, id === null]), [["a.txt", false], ["b.txt", false], ["sub", true]]);
  assertEquals(entries[0]?.metadata?.size, 5);
  assertEquals(await list({ limit: 1, offset: 1 }), ["b.txt"]);
  assertEquals(await list({ sortBy: { column: "name", order: "desc" } }), ["sub", "b.txt", "a.txt"]);
  assertEquals(await list({ sortBy: { column: "created_at", order: "asc" } }), ["sub", "b.txt", "a.txt"]);
  assertEquals(await list({ search: "B" }), ["b.txt"]);
});

test("listV2 pages through flat and foldered listings without gap or repetition", async () => {
  const names = ["a", "b/1", "b/2", "c", "d"].map((name) => own(`v2/${name}`));
  for (const name of names) await ok(files().upload(name, "x"));
  for (const column of ["name", "created_at"] as const) {
    for (
      const [with_delimiter, expected] of [[false, names], [
        true,
        ["a", "b/", "c", "d"].map((n) => own(`v2/${n}`)),
      ]] as const
    ) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const options = {
          prefix: own("v2/"),
          limit: 2,
          cursor,
          with_delimiter,
          sortBy: { column, order: "asc" as const },
        };
        const page = await ok(files().listV2(options));
        seen.push(...[...page.folders, ...page.objects].map(({ name }) => name).sort());
        cursor = page.hasNext ? page.nextCursor : undefined;
      } while (cursor !== undefined && seen.length <= expected.length);
      assertEquals(seen, expected);
    }
  }
});

test("remove answers with the objects it removed and no others", async () => {
  await ok(files().upload(own("r1"), "x"));
  await ok(files().upload(own("r2"), "x"));
  const removed = await ok(files().remove([own("r1"), own("r2"), own("never"), "shared/a"]));
  assertEquals(removed.map(({ name }) => name).sort(), [own("r1"), own("r2")]);
});

test("a moved object has its new name only, in the same bucket or another", async () => {
  await ok(files().upload(own("m1"), "moving"));
  await ok(files().move(own("m1"), own("m2")));
  await ok(files().move(own("m2"), own("m3"), { destinationBucket: otherBucket }));
  for (const name of ["m1", "m2"]) assertEquals(await refusal(files().download(own(name))), notFound);
  assertEquals(await (await ok(files(user, otherBucket).download(own("m3")))).text(), "moving");
});

test("a move onto a taken name is refused and leaves both", async () => {
  await ok(files().upload(own("m4"), "four"));
  await ok(files().upload(own("m5"), "five"));
  assertEquals(await refusal(files().move(own("m4"), own("m5"))), "409 The resource already exists");
  assertEquals([await content(own("m4")), await content(own("m5"))], ["four", "five"]);
});

test("a copy outlives its source, keeps its metadata, and can go to another bucket", async () => {
  await ok(files().upload(own("c1"), "copied", { contentType: "text/css", metadata: { a: 1 } }));
  assertEquals((await ok(files().copy(own("c1"), own("c2")))).path, `${bucket}/${own("c2")}`);
  await ok(files().copy(own("c1"), own("c3"), { destinationBucket: otherBucket }));
  await ok(files().remove([own("c1")]));
  assertEquals(await content(own("c2")), "copied");
  assertEquals(await (await ok(files(user, otherBucket).download(own("c3")))).text(), "copied");
  const info = await ok(files().info(own("c2")));
  assertEquals([info.contentType, info.metadata as unknown], ["text/css", { a: 1 }]);
});

test("a copy to where the caller may not write is refused", async () => {
  await ok(files().upload(own("c4"), "x"));
  assertEquals(await refusal(files().copy(own("c4"), "elsewhere/c4")), notAllowed);
});

test("buckets are listed, read, changed, emptied and deleted with the secret key", async () => {
  const name = `made-${crypto.randomUUID()}`;
  const { storage } = secret;
  await ok(storage.createBucket(name, { public: false, fileSizeLimit: "1MB" }));
  assertEquals(await refusal(storage.createBucket(name)), "409 The resource already exists");
  await ok(storage.updateBucket(name, { public: true, fileSizeLimit: 5 }));
  const { public: isPublic, file_size_limit } = await ok(storage.getBucket(name));
  assertEquals([isPublic, file_size_limit], [true, 5]);
  assertEquals((await ok(storage.listBuckets({ search: name, limit: 5 }))).map(({ id }) => id), [name]);
  await ok(storage.from(name).upload("x", "x"));
  assertEquals(await refusal(storage.deleteBucket(name)), "409 The bucket you tried to delete is not empty");
  await ok(storage.emptyBucket(name));
  await ok(storage.deleteBucket(name));
  assertEquals(await refusal(storage.getBucket(name)), "404 Bucket not found");
});

test("a user without a policy on buckets sees none and makes none", async () => {
  assertEquals(await ok(user.client.storage.listBuckets()), []);
  assertEquals(await refusal(user.client.storage.createBucket("mine")), notAllowed);
  assertEquals(await refusal(user.client.storage.deleteBucket(bucket)), "404 Bucket not found");
});

test("a bucket's size and type limits are kept, and a refused upload leaves nothing", async () => {
  const limited = files(user, limitedBucket);
  await ok(limited.upload(own("fits"), noise(1000), { contentType: "text/plain;charset=UTF-8" }));
  const tooLarge = "413 The object exceeded the maximum allowed size";
  assertEquals(await refusal(limited.upload(own("l"), noise(1001), { contentType: "image/png" })), tooLarge);
  assertEquals(await refusal(limited.upload(own("l"), new Blob([noise(3_000_000)], { type: "image/png" }))), tooLarge);
  const wrongType = "415 mime type text/html is not supported";
  assertEquals(await refusal(limited.upload(own("l"), new Blob(["x"], { type: "text/html" }))), wrongType);
  assertEquals(await refusal(limited.upload(own("l"), "x", { contentType: "text/html" })), wrongType);
  assertEquals((await ok(limited.list(own("").slice(0, -1)))).map(({ name }) => name), ["fits"]);
});

test("names that S3 could not hold, or no URL could reach, are refused", async () => {
  for (const name of ["ä", "a#b", "a%00b", "x".repeat(1025)]) {
    assertMatch(await refusal(files().upload(own(encodeURIComponent(name)), "x")), /^400 Invalid key/);
  }
  await ok(files().upload(own("named"), "x"));
  assertMatch(await refusal(files().copy(own("named"), own("../../escaped"))), /^400 Invalid key/);
  assertMatch(await refusal(files().move(own("named"), own("a/../b"))), /^400 Invalid key/);
});

test("an unknown bucket and an unknown route are said to be so", async () => {
  assertEquals(await refusal(files(user, "no-such-bucket").upload("x", "x")), "404 Bucket not found");
  const response = await fetch(`${url}/storage/v1/nowhere`, { headers: { apikey: publishableKey } });
  assertEquals([response.status, (await response.json()).error], [404, "Not Found"]);
});
