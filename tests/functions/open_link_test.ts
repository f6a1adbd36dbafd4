// GET /upload-file/content/:token over HTTP: what a signed_url leads to, and what is left of it for who was removed.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { anonymous } from "../support/actors.ts";
import { assertRefused, type Body, call, type Sender } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { anotherProject, createTeam, type Project } from "./project.ts";
import { form, PNG, removeMember, textUpload } from "./uploads.ts";

let signedUp: Promise<Project> | undefined;
const fresh = async () => await anotherProject(await (signedUp ??= createTeam()));

/** The link that someone gets to a new file of the editor's. */
async function linkOf(project: Project, who: Sender = project.editor, query = ""): Promise<string> {
  const { id } = (await call(project.editor, "upload-file", textUpload(project.id))).body.file;
  return (await call(who, `upload-file/${id}${query}`, undefined, { method: "GET" })).body.signed_url;
}
const open = (url: string) =>
  call("nobody", url.slice(`${stack.url}/functions/v1/`.length), undefined, { method: "GET" });

Deno.test("open_link: whoever has the link gets the bytes, and nobody on the way keeps it", async () => {
  const url = await linkOf(await fresh());
  const { status, headers } = await open(url);
  assertEquals([status, headers.get("cache-control"), headers.get("referrer-policy")], [
    302,
    "no-store",
    "no-referrer",
  ]);
  assertEquals(await (await fetch(url)).text(), "some text");
});

Deno.test("open_link: a HEAD, as download managers send it first, says where the link leads, and what is there", async () => {
  const url = await linkOf(await fresh());
  const head = await fetch(url, { method: "HEAD", redirect: "manual" });
  assertEquals([head.status, await head.text()], [302, ""]);
  const followed = await fetch(url, { method: "HEAD" });
  assertEquals([followed.status, followed.headers.get("content-length")], [200, "9"]);
});

Deno.test("open_link: a part of the bytes can be asked for", async () => {
  const response = await fetch(await linkOf(await fresh()), { headers: { range: "bytes=5-8" } });
  assertEquals([response.status, await response.text()], [206, "text"]);
});

Deno.test("open_link: a link to save the file names it", async () => {
  const project = await fresh();
  const response = await fetch(await linkOf(project, project.viewer, "?download=true"));
  assertMatch(response.headers.get("content-disposition") ?? "", /^attachment;.*notes\.txt/);
  await response.body?.cancel();
});

/** What a browser is told to do with a file of this type where its link leads: null is to show it. */
async function dispositionOf(link: string): Promise<string | null> {
  const response = await fetch(link);
  await response.body?.cancel();
  return response.headers.get("content-disposition");
}

async function linkToUpload(project: Project, bytes: string | Uint8Array<ArrayBuffer>, type: string): Promise<string> {
  const upload = form(["project_id", project.id], ["file", new File([bytes], "a.file", { type })]);
  return (await call(project.editor, "upload-file", upload)).body.signed_url;
}

Deno.test("open_link: what could run scripts under the project's address is saved, and not shown", async () => {
  const project = await fresh();
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  const page = '<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>';
  const xml = '<?xml version="1.0"?><a/>';
  for (
    const [type, text] of [
      ["image/svg+xml", svg],
      ["application/xhtml+xml", page],
      ["text/xml", xml],
      ["application/atom+xml", xml],
      ["text/html", page],
      ["multipart/related", page],
    ] as const
  ) assertMatch(await dispositionOf(await linkToUpload(project, text, type)) ?? "", /^attachment;.*a\.file/, type);
});

Deno.test("open_link: what runs nothing is shown", async () => {
  const project = await fresh();
  for (const [type, bytes] of [["image/png", PNG], ["text/plain", "text"], ["application/json", "{}"]] as const) {
    assertEquals(await dispositionOf(await linkToUpload(project, bytes, type)), null, type);
  }
});

Deno.test("open_link: a file is saved by what Storage serves it as, whatever its row says that it is", async () => {
  const project = await fresh();
  const bucket = project.editor.client.storage.from("genesis-files");
  for (const contentType of ["application/xhtml+xml", "image/png, image/svg+xml", "image/png;a=,image/svg+xml"]) {
    await bucket.upload(`${project.id}/${crypto.randomUUID()}.png`, PNG, { contentType });
  }
  const mended = await call(project.owner, "upload-file/reconcile", { project_id: project.id, older_than_seconds: 0 });
  assertEquals(mended.body.adopted.map((file: Body) => file.mime_type), ["image/png", "image/png", "image/png"]);
  for (const { id } of mended.body.adopted) {
    const { signed_url } = (await call(project.editor, `upload-file/${id}`, undefined, { method: "GET" })).body;
    assertMatch(await dispositionOf(signed_url) ?? "shown", /^attachment;/);
  }
});

Deno.test("open_link: a link ends at once with the membership of who got it, and no other does", async () => {
  const project = await fresh();
  const [editors, viewers] = [await linkOf(project), await linkOf(project, project.viewer)];
  const workers = await linkOf(project, "worker");
  await removeMember(project, project.editor);
  assertRefused(await open(editors), "file_not_found");
  assertEquals([(await open(viewers)).status, (await open(workers)).status], [302, 302]);
});

Deno.test("open_link: a link that was changed in one letter, or made up, is file_not_found", async () => {
  const url = await linkOf(await fresh());
  const [body = "", signature = ""] = url.slice(url.lastIndexOf("/") + 1).split(".");
  const payload = JSON.parse(atob(body.replaceAll("-", "+").replaceAll("_", "/")));
  const forged = btoa(JSON.stringify({ ...payload, user_id: null, expires: payload.expires + 1000 })).replaceAll(
    "=",
    "",
  );
  const changed = (text: string) => (text.startsWith("a") ? "b" : "a") + text.slice(1);
  for (
    const token of [`${forged}.${signature}`, `${body}.${changed(signature)}`, body, `.${signature}`, "x.y", "%F0"]
  ) {
    const reply = await call("nobody", `upload-file/content/${token}`, undefined, { method: "GET" });
    assertEquals([token, reply.body.error.code], [token, "file_not_found"]);
  }
});

Deno.test("open_link: nothing that a collaborator was given works once they are removed", async () => {
  const project = await fresh();
  const editor = project.editor;
  const uploaded = (await call(editor, "upload-file", textUpload(project.id))).body;
  const file_id = uploaded.file.id;
  const declared = { project_id: project.id, file_name: "a.png", file_size: PNG.length, mime_type: "image/png" };
  const sign = async () => (await call(editor, "upload-file/signed", declared)).body;
  const [sent, unsent, resumed] = [await sign(), await sign(), await sign()] as [Body, Body, Body];
  const bucket = anonymous().storage.from(sent.upload.bucket);
  await bucket.uploadToSignedUrl(sent.upload.path, sent.upload.token, PNG, { contentType: "image/png" });
  const asked = (await call(editor, `upload-file/${file_id}`, undefined, { method: "GET" })).body.signed_url;
  const share = (await call(editor, "upload-file/share", { file_id, expires_in_seconds: 3600 })).body.url;
  await removeMember(project, editor);

  for (const url of [uploaded.signed_url, asked, share]) assertEquals((await open(url)).status, 404);
  assertEquals((await call(editor, "upload-file/finish", { file_id: sent.file_id })).status, 404);
  assert((await bucket.uploadToSignedUrl(unsent.upload.path, unsent.upload.token, PNG)).error);
  const { url, headers, metadata } = resumed.upload.resumable;
  const encoded = Object.entries(metadata).map(([name, value]) => `${name} ${btoa(String(value))}`).join();
  const begun = await fetch(url, {
    method: "POST",
    headers: {
      ...headers,
      "tus-resumable": "1.0.0",
      "upload-length": String(PNG.length),
      "upload-metadata": encoded,
      "content-type": "application/offset+octet-stream",
    },
    body: PNG,
  });
  assert(!begun.ok, `${begun.status} ${await begun.text()}`);
  assert((await editor.client.storage.from(sent.upload.bucket).download(uploaded.file.file_path)).error);
  const snapshot = `save-artifact/snapshot?project_id=${project.id}&format=zip`;
  assertEquals((await call(editor, snapshot, undefined, { method: "GET" })).status, 404);
});
