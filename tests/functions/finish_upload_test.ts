// POST /upload-file/signed and /finish over HTTP: bytes go past the function, and are read before anyone sees them.
import { assert, assertEquals } from "@std/assert";
import { finishUpload, signUpload } from "../../shared/contract/upload-file.ts";
import { assertAnswer, assertRefused, type Body, call, type Reply } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { startCuttingProxy } from "../client/cutting_proxy.ts";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { Upload } from "tus-js-client";
import { anonymous, type Person } from "../support/actors.ts";
import { testAccess } from "./access.ts";
import { anotherProject, type Project } from "./project.ts";
import { leftovers, PNG, removeMember, sha256 } from "./uploads.ts";

const declared = (project: Project, bytes: Uint8Array, fields = {}) => ({
  project_id: project.id,
  file_name: "a.png",
  file_size: bytes.byteLength,
  mime_type: "image/png",
  ...fields,
});

const team = testAccess({
  path: "upload-file/signed",
  operation: signUpload,
  body: (project) => Promise.resolve(declared(project, PNG)),
  stranger: "project_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

async function sign(project: Project, bytes = PNG, fields = {}): Promise<Body> {
  return assertAnswer(
    await call(project.editor, "upload-file/signed", declared(project, bytes, fields)),
    signUpload,
    201,
  );
}

/** Sends the bytes as supabase-js does; the token is the right, so no account is needed. */
async function send({ upload }: Body, bytes: Uint8Array<ArrayBuffer>, contentType = "image/png"): Promise<void> {
  const bucket = anonymous().storage.from(upload.bucket);
  const { error } = await bucket.uploadToSignedUrl(upload.path, upload.token, bytes, { contentType });
  assert(!error, error?.message);
}

const finish = (person: Person, { file_id }: Body): Promise<Reply> => call(person, "upload-file/finish", { file_id });

Deno.test("finish_upload: what was sent by uploadToSignedUrl becomes a file, byte for byte", async () => {
  const project = await fresh();
  const bytes = new Uint8Array(20 * 1_048_576);
  bytes.set(PNG);
  const signed = await sign(project, bytes);
  await send(signed, bytes);
  const { file, signed_url } = assertAnswer(await finish(project.editor, signed), finishUpload, 200);
  assertEquals([file.status, file.file_size, file.mime_type, file.sha256], [
    "ready",
    bytes.byteLength,
    "image/png",
    await sha256(bytes),
  ]);
  const download = new Uint8Array(await (await fetch(signed_url)).arrayBuffer());
  assertEquals(await sha256(download), file.sha256);
});

Deno.test("finish_upload: of an upload with a content encoding the bytes that were sent are measured, not what they decode to", async () => {
  const project = await fresh();
  const bytes = new Uint8Array(gzipSync("a text, ".repeat(1000)));
  const { upload, file_id } = await sign(project, bytes, { mime_type: "application/gzip" });
  const { error } = await anonymous().storage.from(upload.bucket).uploadToSignedUrl(upload.path, upload.token, bytes, {
    contentType: "application/gzip",
    contentEncoding: "gzip",
  });
  assert(!error, error?.message);
  const { file } = assertAnswer(await finish(project.editor, { file_id }), finishUpload, 200);
  assertEquals([file.file_size, file.sha256], [bytes.length, await sha256(bytes)]);
});

/** Sends the bytes with tus-js-client, through a proxy that is cut each time so many bytes were sent. */
async function sendInPieces({ upload }: Body, bytes: Uint8Array, cutAt: number[]): Promise<string[]> {
  using proxy = startCuttingProxy(stack.url);
  const { url, headers, metadata, chunk_bytes } = upload.resumable;
  const methods: string[] = [];
  await new Promise<void>((resolve, reject) =>
    new Upload(Buffer.from(bytes.buffer), {
      endpoint: url.replace(stack.url, proxy.url),
      headers,
      metadata,
      chunkSize: chunk_bytes,
      retryDelays: [0, 100, 500, 1000, 2000, 4000, 8000, 16_000],
      onBeforeRequest: (request) => void methods.push(request.getMethod()),
      onProgress: (sent) => {
        if (cutAt[0] === undefined || sent < cutAt[0]) return;
        cutAt.shift();
        proxy.cut();
      },
      onSuccess: () => resolve(),
      onError: reject,
    }).start()
  );
  assertEquals(cutAt, [], "Not every cut was made");
  return methods;
}

Deno.test("finish_upload: 45 MiB in pieces of 6 MiB, cut in mid-piece and resumed, become a file byte for byte", async () => {
  const project = await fresh();
  const bytes = new Uint8Array(45 * 1_048_576);
  for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  bytes.set(PNG);
  const signed = await sign(project, bytes);
  const methods = await sendInPieces(signed, bytes, [9_000_000, 30_000_000]);
  // Eight pieces in one go would need eight of these.
  assert(methods.filter((method) => method === "PATCH").length > 8, methods.join());
  // One beginning, and a question how far it got after each cut; a busy machine makes the client ask more often.
  const others = methods.filter((method) => method !== "PATCH");
  assertEquals([others[0], new Set(others.slice(1))], ["POST", new Set(["HEAD"])]);
  assert(others.length >= 3, others.join());
  const { file, signed_url } = assertAnswer(await finish(project.editor, signed), finishUpload, 200);
  assertEquals([file.status, file.file_size, file.sha256], ["ready", bytes.byteLength, await sha256(bytes)]);
  const download = new Uint8Array(await (await fetch(signed_url)).arrayBuffer());
  assertEquals(await sha256(download), file.sha256);
});

Deno.test("finish_upload: an upload in pieces that stopped half-way is no file, and finishing it says that it is not there", async () => {
  const project = await fresh();
  const { upload, file_id } = await sign(project, new Uint8Array(1000));
  const { headers, metadata, url } = upload.resumable;
  const encoded = Object.entries(metadata).map(([name, value]) => `${name} ${btoa(String(value))}`).join(",");
  const tus = { ...headers, "tus-resumable": "1.0.0" };
  const begun = await fetch(url, {
    method: "POST",
    headers: { ...tus, "upload-length": "1000", "upload-metadata": encoded },
  });
  assertEquals(begun.status, 201, await begun.text());
  const sent = await fetch(begun.headers.get("location") ?? "", {
    method: "PATCH",
    headers: { ...tus, "upload-offset": "0", "content-type": "application/offset+octet-stream" },
    body: new Uint8Array(500),
  });
  assertEquals([sent.status, sent.headers.get("upload-offset")], [204, "500"]);
  assertEquals((await finish(project.editor, { file_id })).status, 404);
  assertEquals(await leftovers(project.id), { rows: 1, objects: 0 });
});

Deno.test("finish_upload: until then neither row nor object is there for the other members", async () => {
  const project = await fresh();
  const signed = await sign(project);
  await send(signed, PNG);
  const seenBy = async ({ client }: Person) => {
    const { data: rows } = await client.from("file_storage").select("id").eq("id", signed.file_id);
    const { data: object } = await client.storage.from(signed.upload.bucket).download(signed.upload.path);
    return [rows?.length, object?.size];
  };
  assertEquals([await seenBy(project.viewer), await seenBy(project.owner)], [[0, undefined], [0, undefined]]);
  assertEquals((await finish(project.editor, signed)).status, 200);
  assertEquals([await seenBy(project.viewer), await seenBy(project.owner)], [[1, PNG.length], [1, PNG.length]]);
});

const TEXT = { mime_type: "text/plain" };
const STREAM = { mime_type: "application/octet-stream" };
const LIES: [string, Uint8Array<ArrayBuffer>, Record<string, unknown>, string?][] = [
  ["other bytes than declared", new TextEncoder().encode("<script>alert(1)</script>"), {}],
  ["more bytes than declared", PNG, { file_size: PNG.length - 1 }],
  ["fewer bytes than declared", PNG, { file_size: PNG.length + 1 }],
  ["a false type towards Storage", PNG, {}, "image/svg+xml"],
  ["pages that are declared as text", new TextEncoder().encode("<b>hi</b>"), TEXT, "text/html"],
  ["drawings that are declared as text", new TextEncoder().encode("<svg/>"), TEXT, "image/svg+xml"],
  ["pages of which nothing is declared", new TextEncoder().encode("<b>"), STREAM, "text/html"],
];
for (const [claim, bytes, fields, contentType] of LIES) {
  Deno.test(`finish_upload: ${claim} are refused, and nothing is left`, async () => {
    const project = await fresh();
    const signed = await sign(project, bytes, fields);
    await send(signed, bytes, contentType);
    assertRefused(await finish(project.editor, signed), "validation_failed");
    assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
  });
}

Deno.test("finish_upload: what has not arrived is file_not_found, and may still arrive", async () => {
  const project = await fresh();
  const signed = await sign(project);
  assertRefused(await finish(project.editor, signed), "file_not_found");
  await send(signed, PNG);
  assertEquals((await finish(project.editor, signed)).status, 200);
});

Deno.test("finish_upload: sent again, after a lost answer, it answers the same file to who began it, and to nobody else", async () => {
  const project = await fresh();
  const signed = await sign(project);
  await send(signed, PNG);
  const { file } = assertAnswer(await finish(project.editor, signed), finishUpload, 200);
  const again = assertAnswer(await finish(project.editor, signed), finishUpload, 200);
  assertEquals([again.file, (await fetch(again.signed_url)).status], [file, 200]);
  assertRefused(await finish(project.owner, signed), "forbidden");
  assertRefused(await finish(project.stranger, signed), "file_not_found");
});

Deno.test("finish_upload: nobody else finishes it, and a former collaborator cannot either", async () => {
  const project = await fresh();
  const signed = await sign(project);
  await send(signed, PNG);
  assertRefused(await finish(project.owner, signed), "file_not_found");
  assertRefused(await finish(project.stranger, signed), "file_not_found");
  await removeMember(project, project.editor);
  assertRefused(await finish(project.editor, signed), "file_not_found");
});

Deno.test("sign_upload: a collaborator who is removed can no longer use the link they have", async () => {
  const project = await fresh();
  const { upload } = await sign(project);
  await removeMember(project, project.editor);
  const bucket = anonymous().storage.from(upload.bucket);
  assert((await bucket.uploadToSignedUrl(upload.path, upload.token, PNG)).error);
  assertEquals((await leftovers(project.id)).objects, 0);
});

Deno.test("finish_upload: a token uploads once, and to its own place", async () => {
  const project = await fresh();
  const [signed, other] = [await sign(project), await sign(project)];
  await send(signed, PNG);
  const bucket = anonymous().storage.from(signed.upload.bucket);
  assert((await bucket.uploadToSignedUrl(signed.upload.path, signed.upload.token, PNG)).error);
  assert((await bucket.uploadToSignedUrl(other.upload.path, signed.upload.token, PNG)).error);
});

/** Whether the token still puts anything anywhere. */
const isTaken = async ({ upload }: Body) =>
  !(await anonymous().storage.from(upload.bucket).uploadToSignedUrl(upload.path, upload.token, PNG)).error;

Deno.test("finish_upload: the token of a file that was deleted, or refused, puts nothing in its place", async () => {
  const project = await fresh();
  const [signed, refused] = [await sign(project), await sign(project, PNG, { file_size: 5 })];
  for (const each of [signed, refused]) await send(each, PNG);
  assertEquals((await finish(project.editor, signed)).status, 200);
  assertRefused(await finish(project.editor, refused), "validation_failed");
  await call(project.editor, `upload-file/${signed.file_id}`, undefined, { method: "DELETE" });
  assertEquals([await isTaken(signed), await isTaken(refused)], [false, false]);
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});

Deno.test("finish_upload: a token for replacing, made before there was a file, replaces nothing, and Storage says 403", async () => {
  const project = await fresh();
  const signed = await sign(project);
  const bucket = project.editor.client.storage.from(signed.upload.bucket);
  const { data } = await bucket.createSignedUploadUrl(signed.upload.path, { upsert: true });
  assert(data);
  await send(signed, PNG);
  const replace = async () => {
    const { error } = await bucket.uploadToSignedUrl(signed.upload.path, data.token, new Uint8Array(PNG.length));
    return (error as { statusCode?: string } | null)?.statusCode;
  };
  assertEquals(await replace(), "403");
  const { file, signed_url } = assertAnswer(await finish(project.editor, signed), finishUpload, 200);
  assertEquals(await replace(), "403");
  const bytes = new Uint8Array(await (await fetch(signed_url)).arrayBuffer());
  assertEquals([await sha256(bytes), await sha256(PNG)], [file.sha256, file.sha256]);
});

Deno.test("finish_upload: ten at once make one file, and all answer it", async () => {
  const project = await fresh();
  const signed = await sign(project);
  await send(signed, PNG);
  const replies = await Promise.all(Array.from({ length: 10 }, () => finish(project.editor, signed)));
  for (const reply of replies) {
    assertEquals(assertAnswer(reply, finishUpload, 200).file, replies[0]?.body.file);
  }
  assertEquals(await leftovers(project.id), { rows: 1, objects: 1 });
});

Deno.test("sign_upload: the address to upload to is this stack's Storage", async () => {
  const { upload } = await sign(await fresh());
  assert(upload.url.startsWith(`${stack.url}/storage/v1/object/upload/sign/`), upload.url);
});
