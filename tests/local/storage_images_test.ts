// Claims about images in another size: every way in which supabase-js asks for one.
import { assertEquals } from "@std/assert";
import sharp from "sharp";
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
  tearDown,
  url,
  type User,
} from "./storage_fixture.ts";

let user: User;
let stranger: User;

Deno.test.beforeAll(async () => {
  await setUp();
  [user, stranger] = await Promise.all([signUp(), signUp()]);
  await ok(files().upload(own("wide.png"), await picture("png"), { contentType: "image/png" }));
});
Deno.test.afterAll(tearDown);

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `storage: ${name}`, fn, sanitizeOps: false, sanitizeResources: false });

const files = (who: User = user) => who.client.storage.from(bucket);
const own = (name: string) => `own/${user.id}/${name}`;

/** Four hundred by two hundred, in colour. */
async function picture(format: "png" | "jpeg" | "gif" | "avif" | "tiff"): Promise<Uint8Array<ArrayBuffer>> {
  const image = sharp({ create: { width: 400, height: 200, channels: 3, background: "teal" } });
  return new Uint8Array(await image.toFormat(format).toBuffer());
}

/** Format and size of what came. */
async function seen(data: Blob | Response): Promise<[string?, number?, number?]> {
  const { format, width, height } = await sharp(await data.arrayBuffer()).metadata();
  return [format, width, height];
}

test("a download with transform is scaled: filling a frame, within it, or stretched", async () => {
  const get = async (transform: Record<string, unknown>) =>
    await seen(await ok(files().download(own("wide.png"), { transform })));
  assertEquals(await get({ width: 100 }), ["png", 100, 50]);
  assertEquals(await get({ width: 100, height: 100 }), ["png", 100, 100]);
  assertEquals(await get({ width: 100, height: 100, resize: "contain" }), ["png", 100, 50]);
  assertEquals(await get({ width: 100, height: 100, resize: "fill" }), ["png", 100, 100]);
  assertEquals(await get({ width: 1000 }), ["png", 400, 200]);
});

for (const format of ["jpeg", "gif", "avif", "tiff"] as const) {
  test(`an image of type ${format} keeps its type, and with a lower quality is no larger`, async () => {
    await ok(files().upload(own(format), await picture(format), { contentType: `image/${format}` }));
    const small = await ok(files().download(own(format), { transform: { width: 40, quality: 20 } }));
    assertEquals([small.type, (await seen(small))[1]], [`image/${format}`, 40]);
  });
}

test("whoever accepts WebP gets it, unless the origin's format is asked for", async () => {
  const { data: { session } } = await user.client.auth.getSession();
  const headers = { authorization: `Bearer ${session?.access_token}`, accept: "image/avif,image/webp,*/*" };
  const get = async (query: string) =>
    (await seen(
      await fetch(`${url}/storage/v1/render/image/authenticated/${bucket}/${own("wide.png")}${query}`, { headers }),
    ))[0];
  assertEquals([await get("?width=10"), await get("?width=10&format=origin")], ["webp", "png"]);
});

test("a signed link to a thumbnail says itself what is made, and nobody can make it say more", async () => {
  const { signedUrl } = await ok(files().createSignedUrl(own("wide.png"), 60, { transform: { width: 30 } }));
  assertEquals(await seen(await fetch(signedUrl)), ["png", 30, 15]);
  assertEquals(await seen(await fetch(`${signedUrl}&width=300`)), ["png", 30, 15]);
  assertEquals((await fetch(`${signedUrl}x`)).status, 400);
});

test("a public bucket's images are scaled for everybody, a private one's for nobody without a right", async () => {
  await ok(secret.storage.from(publicBucket).upload("wide.png", await picture("png"), { contentType: "image/png" }));
  const address =
    anon.storage.from(publicBucket).getPublicUrl("wide.png", { transform: { height: 20 } }).data.publicUrl;
  assertEquals(await seen(await fetch(address)), ["png", 40, 20]);
  const closed = files().getPublicUrl(own("wide.png"), { transform: { height: 20 } }).data.publicUrl;
  assertEquals((await fetch(closed)).status, 400);
  assertEquals(
    await refusal(files(stranger).download(own("wide.png"), { transform: { width: 10 } })),
    "404 Object not found",
  );
});

test("sizes and qualities beyond the platform's limits are refused, and so is what is no image", async () => {
  const get = async (query: string, name = "wide.png") => {
    const { data: { session } } = await user.client.auth.getSession();
    const headers = { authorization: `Bearer ${session?.access_token}` };
    const response = await fetch(`${url}/storage/v1/render/image/authenticated/${bucket}/${own(name)}?${query}`, {
      headers,
    });
    await response.body?.cancel();
    return response.status;
  };
  for (const query of ["width=2501", "width=0", "height=x", "quality=19", "quality=101", "resize=crop", "format=bmp"]) {
    assertEquals([query, await get(query)], [query, 400]);
  }
  await ok(files().upload(own("text"), bytes("text"), { contentType: "text/plain" }));
  await ok(files().upload(own("broken.png"), bytes("pixels"), { contentType: "image/png" }));
  assertEquals([await get("width=10", "text"), await get("width=10", "broken.png")], [400, 400]);
});

test("an image that was sent as text, as clients do by themselves, is scaled all the same", async () => {
  await ok(files().upload(own("unnamed"), await picture("png")));
  assertEquals(await seen(await ok(files().download(own("unnamed"), { transform: { width: 10 } }))), ["png", 10, 5]);
});

test("a drawing that was sent as text is scaled all the same", async () => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><rect width="90" height="20"/></svg>`;
  await ok(files().upload(own("drawing"), bytes(svg), { contentType: "text/plain" }));
  assertEquals(await seen(await ok(files().download(own("drawing"), { transform: { width: 45 } }))), ["png", 45, 10]);
});

test("an AVIF that was sent as text is scaled all the same", async () => {
  await ok(files().upload(own("unnamed-avif"), await picture("avif"), { contentType: "text/plain" }));
  const { type } = await ok(files().download(own("unnamed-avif"), { transform: { width: 40 } }));
  assertEquals(type, "image/avif");
});

test("an image of a type that cannot be read here comes as it is", async () => {
  await ok(files().upload(own("icon"), bytes("icon"), { contentType: "image/x-icon" }));
  assertEquals(await (await ok(files().download(own("icon"), { transform: { width: 10 } }))).text(), "icon");
});

test("an SVG shows nothing of other objects, whatever it includes", async () => {
  // Of so many, some lie in the folder that a copy of the picture gets.
  const others = Array.from({ length: 100 }, (_, index) => own(`other-${index}.txt`));
  await Promise.all(others.map((name) => ok(files().upload(name, "another's text"))));
  const versions = await Promise.all(others.map(async (name) => (await ok(files().info(name))).version));
  const includes = versions.map((version) => `<xi:include href="${version}" parse="text"><xi:fallback/></xi:include>`);
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xi="http://www.w3.org/2001/XInclude" width="90" height="20">
    <rect width="90" height="20" fill="white"/><text y="15">${includes.join("")}</text></svg>`;
  await ok(files().upload(own("curious.svg"), new Blob([svg], { type: "image/svg+xml" })));
  for (let copy = 0; copy < 30; copy++) {
    await ok(files().copy(own("curious.svg"), own(`curious-${copy}.svg`)));
    const image = await ok(files().download(own(`curious-${copy}.svg`), { transform: { width: 90 } }));
    const { channels } = await sharp(await image.arrayBuffer()).stats();
    assertEquals(channels.slice(0, 3).map(({ min }) => min), [255, 255, 255]);
  }
});
