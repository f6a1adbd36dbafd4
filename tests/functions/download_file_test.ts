// GET and DELETE /upload-file/:file_id over HTTP: short-lived links, and an end of object and row at once.
import { assert, assertEquals } from "@std/assert";
import { deleteFile, downloadFile } from "../../shared/contract/upload-file.ts";
import { assertAnswer, assertRefused, type Body, call, type Sender } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import sharp from "sharp";
import { platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";
import { form, leftovers, PNG, removeMember, textUpload } from "./uploads.ts";

let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const fresh = async () => await anotherProject(await team());
const NOBODYS = "00000000-0000-4000-8000-000000000000";

async function uploaded(project: Project, body = textUpload(project.id)): Promise<Body> {
  return (await call(project.editor, "upload-file", body)).body.file;
}
const get = (sender: Sender, id: string, query = "") =>
  call(sender, `upload-file/${id}${query}`, undefined, { method: "GET" });
const remove = (sender: Sender, id: string) => call(sender, `upload-file/${id}`, undefined, { method: "DELETE" });

Deno.test("download_file: every member gets a link that leads to the bytes", async () => {
  const project = await fresh();
  const { id } = await uploaded(project);
  for (const person of [project.owner, project.editor, project.viewer, "worker"] as const) {
    const { signed_url, transformed } = assertAnswer(await get(person, id), downloadFile, 200);
    assertEquals([await (await fetch(signed_url)).text(), transformed], ["some text", false]);
  }
});

Deno.test("download_file: strangers, former collaborators and a wrong id get file_not_found", async () => {
  const project = await fresh();
  const { id } = await uploaded(project);
  assertRefused(await get(project.stranger, id), "file_not_found");
  assertRefused(await get(project.owner, NOBODYS), "file_not_found");
  await removeMember(project, project.viewer);
  assertRefused(await get(project.viewer, id), "file_not_found");
  assertRefused(await get("nobody", id), "unauthorized");
});

Deno.test("download_file: a link ends when it was said to", async () => {
  const project = await fresh();
  const { id } = await uploaded(project);
  const { signed_url, expires_at } = (await get(project.viewer, id, "?expires_in_seconds=1")).body;
  await new Promise((resolve) => setTimeout(resolve, Date.parse(expires_at) - Date.now() + 10));
  const response = await fetch(signed_url);
  assertEquals([response.status, (await response.json()).error.code], [404, "file_not_found"]);
});

const NAMES = ['a"b.txt', "a&download=evil.exe#?.txt", "日本.txt", "a;b=c.txt", "a%0d%0ab.txt"];
for (const name of NAMES) {
  Deno.test(`download_file: the name ${name} is offered for saving, and means nothing else`, async () => {
    const project = await fresh();
    const body = form(["project_id", project.id], ["file", new File(["x"], name)]);
    const file = await uploaded(project, body);
    const response = await fetch((await get(project.viewer, file.id, "?download=true")).body.signed_url);
    await response.body?.cancel();
    const disposition = response.headers.get("content-disposition") ?? "";
    assert(disposition.startsWith("attachment;"), disposition);
    assertEquals(decodeURIComponent(/filename\*=UTF-8''([^;]*)/.exec(disposition)?.[1] ?? ""), file.file_name);
  });
}

/** Four hundred by two hundred. */
const picture = async () =>
  new File([
    new Uint8Array(
      await sharp({ create: { width: 400, height: 200, channels: 3, background: "teal" } }).png().toBuffer(),
    ),
  ], "a.png");

Deno.test("download_file: a thumbnail of an image has the size that was asked for, and the answer says so", async () => {
  const project = await fresh();
  const { id } = await uploaded(project, form(["project_id", project.id], ["file", await picture()]));
  const { signed_url, transformed } = (await get(project.viewer, id, "?width=100&height=80&resize=cover")).body;
  const { width, height } = await sharp(await (await fetch(signed_url)).arrayBuffer()).metadata();
  assertEquals([transformed, width, height], [true, 100, 80]);
});

Deno.test("download_file: a thumbnail of what is no image is the original, and the answer says so", async () => {
  const project = await fresh();
  const { id } = await uploaded(project, textUpload(project.id));
  const { signed_url, transformed } = (await get(project.viewer, id, "?width=100")).body;
  assertEquals([transformed, await (await fetch(signed_url)).text()], [false, "some text"]);
});

Deno.test("download_file: an empty file has no thumbnail, whatever it is called", async () => {
  const project = await fresh();
  const empty = new File([], "a.png", { type: "image/png" });
  const { id, mime_type } = await uploaded(project, form(["project_id", project.id], ["file", empty]));
  const { signed_url, transformed } = (await get(project.viewer, id, "?width=100")).body;
  const response = await fetch(signed_url);
  assertEquals([mime_type, transformed, response.status, await response.text()], ["image/png", false, 200, ""]);
});

Deno.test("download_file: an image of more than 25 MB has no thumbnail, and the answer says so", async () => {
  const project = await fresh();
  const large = new File([PNG, new Uint8Array(25_000_000)], "a.png", { type: "image/png" });
  const { id } = await uploaded(project, form(["project_id", project.id], ["file", large]));
  const { signed_url, transformed } = (await get(project.viewer, id, "?width=100")).body;
  const { size } = await (await fetch(signed_url)).blob();
  assertEquals([transformed, size], [false, large.size]);
});

Deno.test("download_file: with IMAGE_TRANSFORMS=off a thumbnail is the original, and the answer says so", async () => {
  const project = await fresh();
  const { id } = await uploaded(project, form(["project_id", project.id], ["file", new File([PNG], "a.png")]));
  const environment = { ...await platformEnvironment(), IMAGE_TRANSFORMS: "off" };
  await using process = await startFunctionProcess("upload-file", environment);
  const headers = { apikey: stack.publishableKey, authorization: `Bearer ${project.viewer.token}` };
  const response = await fetch(`${process.url}/${id}?width=100`, { headers });
  const { signed_url, transformed } = await response.json();
  const bytes = new Uint8Array(await (await fetch(signed_url)).arrayBuffer());
  assertEquals([transformed, bytes], [false, PNG]);
});

for (
  const query of ["?width=0", "?width=2501", "?quality=19", "?resize=crop", "?expires_in_seconds=3601", "?width=x"]
) {
  Deno.test(`download_file: ${query} is validation_failed`, async () => {
    const { owner } = await team();
    assertRefused(await get(owner, NOBODYS, query), "validation_failed");
  });
}

for (const who of ["editor", "owner", "worker"] as const) {
  Deno.test(`delete_file: the ${who} removes the editor's file: row, object and old links`, async () => {
    const project = await fresh();
    const { body: { file, signed_url } } = await call(project.editor, "upload-file", textUpload(project.id));
    const reply = await remove(who === "worker" ? who : project[who], file.id);
    assertEquals([reply.status, reply.body], [deleteFile.statuses[0], undefined]);
    assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
    const response = await fetch(signed_url);
    await response.body?.cancel();
    assertEquals(response.ok, false);
    assertRefused(await remove(project.owner, file.id), "file_not_found");
  });
}

Deno.test("delete_file: viewers are forbidden, strangers are told of nothing, archived projects change nothing", async () => {
  const project = await fresh();
  const { id } = await uploaded(project);
  assertRefused(await remove(project.viewer, id), "forbidden");
  assertRefused(await remove(project.stranger, id), "file_not_found");
  await setStatus(project, "archived");
  assertRefused(await remove(project.owner, id), "project_not_active");
  assertEquals(await leftovers(project.id), { rows: 1, objects: 1 });
});

Deno.test("delete_file: who loses the right while Storage is asked is told in which way", async () => {
  const project = await fresh();
  const { id } = await uploaded(project);
  await using way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method === "DELETE") {
      await setStatus(project, "archived");
      // As Storage answers where the database refuses.
      return Response.json({ statusCode: "403", error: "Unauthorized", message: "no" }, { status: 400 });
    }
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete("host");
    return await fetch(stack.url + pathname + search, { method: request.method, headers, body: request.body });
  });
  await using process = await startFunctionProcess(
    "upload-file",
    await platformEnvironment(`http://127.0.0.1:${way.addr.port}`),
  );
  const reply = await fetch(`${process.url}/${id}`, {
    method: "DELETE",
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${project.editor.token}` },
  });
  assertEquals((await reply.json()).error.code, "project_not_active");
});

Deno.test("delete_file: ten at once end it once", async () => {
  const project = await fresh();
  const { id } = await uploaded(project);
  const replies = await Promise.all(Array.from({ length: 10 }, () => remove(project.owner, id)));
  assert(replies.some(({ status }) => status === 204));
  for (const reply of replies) if (reply.status !== 204) assertRefused(reply, "file_not_found");
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});

Deno.test("delete_file: an object that a client of Storage removes takes its row along", async () => {
  const project = await fresh();
  const { bucket_name, file_path } = await uploaded(project);
  const { error } = await project.editor.client.storage.from(bucket_name).remove([file_path]);
  assert(!error, error?.message);
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});

Deno.test("delete_file: an id that is none is no route", async () => {
  const { owner } = await team();
  for (const id of ["x", "signed", "share", "0000"]) {
    const { body } = await remove(owner, id);
    assert(["route_not_found", "method_not_allowed"].includes(body.error.code), body.error.code);
  }
});
