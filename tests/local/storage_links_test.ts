// Claims about links into Storage: signed URLs, signed uploads, public buckets, and HTTP's own rules for them.
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  anon,
  bucket,
  bytes,
  ok,
  publicBucket,
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

const files = (who: User = user) => who.client.storage.from(bucket);
const own = (name: string) => `own/${user.id}/${name}`;
const content = async (name: string) => await (await ok(files().download(name))).text();
const notAllowed = "403 new row violates row-level security policy";

test("a signed URL works without any key, and as an attachment on request", async () => {
  await ok(files().upload(own("with space.txt"), "signed"));
  const { signedUrl } = await ok(files().createSignedUrl(own("with space.txt"), 60, { download: "a name.txt" }));
  const response = await fetch(signedUrl);
  assertEquals(await response.text(), "signed");
  assertMatch(response.headers.get("content-disposition") ?? "", /^attachment; filename=a/);
  assert(Date.parse(response.headers.get("expires") ?? "") > Date.now());
  const [first] = await ok(files().createSignedUrls([own("with space.txt")], 60));
  assertEquals(await (await fetch(first?.signedUrl ?? "")).text(), "signed");
});

test("a signed URL is refused after its expiry and for another object", async () => {
  await ok(files().upload(own("s1"), "x"));
  const { signedUrl: lasting } = await ok(files().createSignedUrl(own("s1"), 60));
  const other = await fetch(lasting.replace("/s1?", "/s2?"));
  assertEquals([other.status, (await other.json()).error], [400, "InvalidSignature"]);
  const { signedUrl } = await ok(files().createSignedUrl(own("s1"), 1));
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const late = await fetch(signedUrl);
  const { statusCode, error, message } = await late.json();
  assertEquals([late.status, statusCode, error], [400, "400", "InvalidJWT"]);
  assertMatch(message, /"exp" claim timestamp check failed/);
});

test("a signed upload needs no rights of its own, belongs to the signer, and is for one path", async () => {
  const target = anon.storage.from(bucket);
  const { token, path } = await ok(files().createSignedUploadUrl(own("su1")));
  assertEquals(await refusal(target.uploadToSignedUrl(own("su2"), token, "x")), "400 Invalid signature");
  assertEquals((await ok(target.uploadToSignedUrl(path, token, new Blob(["one"])))).fullPath, `${bucket}/${path}`);
  assertEquals(await content(own("su1")), "one");
  const [row] = await sql`select owner_id from storage.objects where name = ${own("su1")}`;
  assertEquals(row?.owner_id, user.id);
  assertEquals(await refusal(target.uploadToSignedUrl(path, token, "two")), "409 The resource already exists");
});

test("only a signed upload made with upsert may replace", async () => {
  await ok(files().upload(own("su3"), "one"));
  assertEquals(await refusal(files().createSignedUploadUrl(own("su3"))), "409 The resource already exists");
  const { token } = await ok(files().createSignedUploadUrl(own("su3"), { upsert: true }));
  await ok(anon.storage.from(bucket).uploadToSignedUrl(own("su3"), token, bytes("two")));
  assertEquals(await content(own("su3")), "two");
});

test("a signed upload is not handed out to who may not upload, nor for a download token", async () => {
  assertEquals(await refusal(files(stranger).createSignedUploadUrl(own("su4"))), notAllowed);
  await ok(files().upload(own("su5"), "x"));
  const { signedUrl } = await ok(files().createSignedUrl(own("su5"), 60));
  const token = new URL(signedUrl).searchParams.get("token") ?? "";
  assertEquals(
    await refusal(anon.storage.from(bucket).uploadToSignedUrl(own("su5"), token, "y")),
    "400 Invalid signature",
  );
});

test("a public bucket is read by URL without a key, a private one is not", async () => {
  await ok(secret.storage.from(publicBucket).upload("page.html", "<b>", { contentType: "text/html" }));
  const open = await fetch(anon.storage.from(publicBucket).getPublicUrl("page.html").data.publicUrl);
  assertEquals([await open.text(), open.headers.get("content-type")], ["<b>", "text/plain"]);
  const closed = await fetch(files().getPublicUrl("shared/a").data.publicUrl);
  assertEquals([closed.status, (await closed.json()).message], [400, "Bucket not found"]);
  assertEquals(await refusal(anon.storage.from(publicBucket).upload("x", "x")), notAllowed);
});

test("a range beyond the end is refused with the size, by every way to an object, and for HEAD", async () => {
  await ok(secret.storage.from(publicBucket).upload("size.txt", bytes("0123456789")));
  await ok(files().upload(own("size.txt"), bytes("0123456789")));
  await ok(files().upload(own("empty.txt"), bytes("")));
  const { signedUrl } = await ok(files().createSignedUrl(own("size.txt"), 60));
  const { signedUrl: empty } = await ok(files().createSignedUrl(own("empty.txt"), 60));
  const open = anon.storage.from(publicBucket).getPublicUrl("size.txt").data.publicUrl;
  const asked = async (address: string, range: string, method = "GET") => {
    const response = await fetch(address, { headers: { range }, method });
    await response.body?.cancel();
    return [response.status, response.headers.get("content-range")];
  };
  for (const address of [open, signedUrl]) {
    assertEquals(await asked(address, "bytes=10-"), [416, "bytes */10"]);
    assertEquals(await asked(address, "bytes=-0"), [416, "bytes */10"]);
    assertEquals(await asked(address, "bytes=10-", "HEAD"), [416, "bytes */10"]);
  }
  assertEquals(await asked(empty, "bytes=0-"), [416, "bytes */0"]);
});

test("a range that ends before it begins is none, and the whole object comes", async () => {
  await ok(secret.storage.from(publicBucket).upload("turned.txt", bytes("0123456789")));
  const address = anon.storage.from(publicBucket).getPublicUrl("turned.txt").data.publicUrl;
  const response = await fetch(address, { headers: { range: "bytes=5-3" } });
  assertEquals([response.status, await response.text()], [200, "0123456789"]);
});

test("ranges, validators and HEAD are answered as HTTP says", async () => {
  await ok(secret.storage.from(publicBucket).upload("http.txt", bytes("0123456789"), { cacheControl: "7" }));
  const get = (headers: HeadersInit, method = "GET") =>
    fetch(`${url}/storage/v1/object/public/${publicBucket}/http.txt`, { headers, method });
  const part = await get({ range: "bytes=2-4" });
  assertEquals([part.status, await part.text(), part.headers.get("content-range")], [206, "234", "bytes 2-4/10"]);
  assertEquals(await (await get({ range: "bytes=-3" })).text(), "789");
  assertEquals(await (await get({ range: "bytes=7-" })).text(), "789");
  const beyond = await get({ range: "bytes=10-" });
  assertEquals([beyond.status, (await beyond.json()).error], [416, "InvalidRange"]);
  const head = await get({}, "HEAD");
  assertEquals([head.headers.get("content-length"), head.headers.get("cache-control")], ["10", "max-age=7"]);
  const etag = head.headers.get("etag") ?? "";
  assertMatch(etag, /^"[0-9a-f]{32}"$/);
  assertEquals((await get({ "if-none-match": etag })).status, 304);
  assertEquals((await get({ "if-modified-since": head.headers.get("last-modified") ?? "" })).status, 304);
});
