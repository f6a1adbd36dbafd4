// POST /upload-file/reconcile after real faults: processes killed, services failing, objects that nobody announced.
import { assert, assertEquals } from "@std/assert";
import { MAX_FILE_BYTES, reconcileFiles } from "../../shared/contract/upload-file.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { testAccess } from "./access.ts";
import { sql } from "./behind.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { anotherProject, type Project, setStatus } from "./project.ts";
import { beginning, END, leftovers, MULTIPART, PNG, sha256, stalling, textUpload, uploadBegan } from "./uploads.ts";

const team = testAccess({
  path: "upload-file/reconcile",
  operation: reconcileFiles,
  body: (project) => Promise.resolve({ project_id: project.id }),
  stranger: "project_not_found",
  editor: "forbidden",
});
const fresh = async () => await anotherProject(await team());
const NOTHING = { rows: 0, objects: 0 };

/** The stack as a function process sees it, with something on the way. */
let meet: (path: string, method: string) => Promise<Response | undefined> | undefined = () => undefined;
const way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const { pathname, search } = new URL(request.url);
  const answer = await meet(pathname, request.method);
  if (answer) {
    await request.body?.cancel().catch(() => {});
    return answer;
  }
  const headers = new Headers(request.headers);
  headers.delete("host");
  const init = { method: request.method, headers, body: request.body };
  return await fetch(stack.url + pathname + search, init).catch(() => new Response(null, { status: 502 }));
});
Deno.test.afterAll(async () => {
  await way.shutdown();
  await sql().end();
});
const startProcess = async () =>
  await startFunctionProcess("upload-file", await platformEnvironment(`http://127.0.0.1:${way.addr.port}`));

const credentials = ({ editor: { token } }: Project) => ({
  apikey: stack.publishableKey,
  authorization: `Bearer ${token}`,
});
const send = (process: FunctionProcess, project: Project, body: BodyInit, headers = {}) =>
  fetch(process.url, { method: "POST", headers: { ...credentials(project), ...headers }, body })
    .then(async (response) => (await response.body?.cancel(), response.status), () => 0);

async function reconcile(project: Project, older_than_seconds = 0): Promise<Body> {
  const reply = await call(project.owner, "upload-file/reconcile", { project_id: project.id, older_than_seconds });
  return assertAnswer(reply, reconcileFiles, 200);
}

/** What a viewer sees of the project's files: rows, and names in the bucket. */
async function seen({ id, viewer: { client } }: Project): Promise<[number, number]> {
  const { data: rows } = await client.from("file_storage").select("id").eq("project_id", id);
  const { data: names } = await client.storage.from("genesis-files").list(id);
  return [rows?.length ?? -1, names?.length ?? -1];
}

Deno.test("reconcile_files: after a process killed in the middle of an upload nothing is seen, and nothing stays", async () => {
  const project = await fresh();
  await using process = await startProcess();
  const sent = send(process, project, stalling(beginning(project.id), 3_000_000), MULTIPART);
  await uploadBegan(project.id);
  await process.kill();
  await sent;
  assertEquals([await leftovers(project.id), await seen(project)], [{ rows: 1, objects: 0 }, [0, 0]]);
  const { removed } = await reconcile(project);
  assertEquals([removed.length, removed[0].reason], [1, "upload_given_up"]);
  assertEquals(await leftovers(project.id), NOTHING);
});

Deno.test("reconcile_files: after a process killed between object and row nothing is seen, and nothing stays", async () => {
  const project = await fresh();
  await using process = await startProcess();
  meet = (path) => path.endsWith("/finish_upload") ? process.kill().then(() => Response.json({})) : undefined;
  try {
    await send(process, project, textUpload(project.id));
  } finally {
    meet = () => undefined;
  }
  assertEquals([await leftovers(project.id), await seen(project)], [{ rows: 1, objects: 1 }, [0, 0]]);
  assertEquals((await reconcile(project)).removed.length, 1);
  assertEquals(await leftovers(project.id), NOTHING);
});

Deno.test("reconcile_files: processes killed at any moment leave whole files or nothing", async () => {
  const project = await fresh();
  for (let round = 0; round < 6; round++) {
    await using process = await startProcess();
    // One upload after another, until the process is killed at some call of one of them to a neighbour.
    let calls = 0;
    const last = 3 + Math.floor(Math.random() * 12);
    meet = () => ++calls === last ? process.kill().then(() => Response.json({})) : undefined;
    for (let index = 0; index < 6; index++) await send(process, project, textUpload(project.id, `${round} ${index}`));
    meet = () => undefined;
  }
  await reconcile(project);
  const rows = await sql()`
    select f.status, f.file_size, (o.metadata ->> 'size')::integer as size from public.file_storage as f
    full join storage.objects as o on o.name = f.file_path
    where f.project_id = ${project.id} or o.name like ${project.id + "/%"}`;
  assert(rows.length > 0);
  for (const row of rows) assertEquals([row.status, Number(row.file_size)], ["ready", row.size]);
});

Deno.test("reconcile_files: what is under way is left alone, and comes to its end", async () => {
  const project = await fresh();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(beginning(project.id) + "half"));
      await uploadBegan(project.id);
      assertEquals((await reconcile(project, 900)).removed, []);
      controller.enqueue(new TextEncoder().encode(END));
      controller.close();
    },
  });
  assertEquals((await call(project.editor, "upload-file", body, { headers: MULTIPART })).status, 201);
  assertEquals(await leftovers(project.id), { rows: 1, objects: 1 });
});

Deno.test("reconcile_files: an upload that is given up while it is under way is upload_expired and leaves nothing", async () => {
  const project = await fresh();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(beginning(project.id) + "half"));
      await uploadBegan(project.id);
      await reconcile(project, 0);
      controller.enqueue(new TextEncoder().encode(END));
      controller.close();
    },
  });
  const reply = await call(project.editor, "upload-file", body, { headers: MULTIPART });
  assertRefused(reply, "upload_expired");
  await reconcile(project);
  assertEquals((await seen(project))[0], (await leftovers(project.id)).objects);
});

Deno.test("reconcile_files: an object put straight into the bucket becomes a file, measured and named", async () => {
  const project = await fresh();
  const name = `${project.id}/photos/a.png`;
  const { error } = await project.editor.client.storage.from("genesis-files").upload(name, PNG, {
    contentType: "text/html",
  });
  assert(!error, error?.message);
  const { adopted: [file], more } = await reconcile(project);
  assertEquals([file.file_path, file.file_name, file.file_size, file.sha256, file.mime_type, file.uploaded_by, more], [
    name,
    "a.png",
    PNG.length,
    await sha256(PNG),
    "image/png",
    project.editor.id,
    false,
  ]);
  assertEquals((await reconcile(project)).adopted, []);
});

Deno.test("reconcile_files: an object with a content encoding becomes a file of the bytes that were sent, not of what they decode to", async () => {
  const project = await fresh();
  const bytes = new Uint8Array(gzipSync("a text, ".repeat(1000)));
  const { error } = await project.editor.client.storage.from("genesis-files").upload(`${project.id}/a.txt`, bytes, {
    contentType: "text/plain",
    contentEncoding: "gzip",
  });
  assert(!error, error?.message);
  const { adopted } = await reconcile(project);
  assertEquals(adopted.map((file: Body) => [file.file_size, file.sha256, file.mime_type]), [
    [bytes.length, await sha256(bytes), "application/gzip"],
  ]);
});

/** As a client puts it that encodes names, which supabase-js does not. */
async function put({ id, editor: { token } }: Project, name: string, body: BodyInit, type = "text/plain") {
  const address = name.split("/").map(encodeURIComponent).join("/");
  const response = await fetch(`${stack.url}/storage/v1/object/genesis-files/${id}/${address}`, {
    method: "POST",
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}`, "content-type": type },
    body,
  });
  assertEquals(response.status, 200, await response.text());
}

const ODD_NAMES = ["what", "what?.txt", "alone?download=x&token=y", "* ", "x/ ", "a;b=c,d@e:f$g+h.txt", "a//b"];

Deno.test("reconcile_files: whatever an object is called, the file is of its own bytes, and so are links and shares", async () => {
  const project = await fresh();
  for (const name of ODD_NAMES) await put(project, name, `the bytes of ${name}`);
  const { adopted, unreadable } = await reconcile(project);
  assertEquals([adopted.length, unreadable], [ODD_NAMES.length, []]);
  for (const { id, file_path, file_size, sha256: hash } of adopted) {
    const text = `the bytes of ${file_path.slice(project.id.length + 1)}`;
    assertEquals([file_size, hash], [text.length, await sha256(new TextEncoder().encode(text))]);
    const { body: link } = await call(project.viewer, `upload-file/${id}`, undefined, { method: "GET" });
    const share = await call(project.editor, "upload-file/share", { file_id: id, expires_in_seconds: 60 });
    for (const url of [link.signed_url, share.body.url]) assertEquals(await (await fetch(url)).text(), text);
    assertEquals((await call(project.owner, `upload-file/${id}`, undefined, { method: "DELETE" })).status, 204);
  }
  assertEquals(await leftovers(project.id), NOTHING);
});

Deno.test("reconcile_files: an image has thumbnails under any name that Storage can sign one for", async () => {
  const project = await fresh();
  const expected = { "a b&c=d+e,f;g.png": true, "last .png ": true, "what?.png": false };
  for (const name of Object.keys(expected)) await put(project, name, PNG, "image/png");
  const thumbnails: Record<string, boolean> = {};
  for (const { id, file_path } of (await reconcile(project)).adopted) {
    const path = `upload-file/${id}?width=1`;
    const { transformed, signed_url } = (await call(project.viewer, path, undefined, { method: "GET" })).body;
    const response = await fetch(signed_url);
    assertEquals(await sharp(await response.arrayBuffer()).metadata().then(({ width }) => width), 1);
    thumbnails[file_path.slice(project.id.length + 1)] = transformed;
  }
  assertEquals(thumbnails, expected);
});

/** Three objects that nobody announced, and what meets the reading of the first. */
async function withOneUnread(
  answer: (project: Project, name: string) => Response | Promise<Response>,
): Promise<[Project, Body, string]> {
  const project = await fresh();
  const names = ["a", "b", "c"].map((name) => `${project.id}/${name}.txt`);
  for (const name of names) await project.editor.client.storage.from("genesis-files").upload(name, new Blob([name]));
  const [first = ""] = names;
  await using process = await startProcess();
  meet = (path, method) =>
    method === "GET" && path.endsWith(first) ? Promise.resolve(answer(project, first)) : undefined;
  try {
    const headers = { apikey: stack.secretKey, "content-type": "application/json" };
    const body = JSON.stringify({ project_id: project.id, older_than_seconds: 0 });
    const reply = await fetch(`${process.url}/reconcile`, { method: "POST", headers, body });
    assertEquals(reply.status, 200);
    return [project, await reply.json(), first];
  } finally {
    meet = () => undefined;
  }
}

Deno.test("reconcile_files: an object that cannot be read keeps no other from becoming a file, and is named", async () => {
  const [project, { adopted, unreadable, removed, more }, name] = await withOneUnread(
    () => Response.json({ message: "no" }, { status: 500 }),
  );
  assertEquals([adopted.length, unreadable, removed, more], [2, [{ file_path: name }], [], false]);
  assertEquals(await leftovers(project.id), { rows: 2, objects: 3 });
});

Deno.test("reconcile_files: an object whose bytes are gone goes as well", async () => {
  const [project, { adopted, unreadable, removed }, name] = await withOneUnread(
    () => Response.json({ statusCode: "404", error: "not_found", message: "Object not found" }, { status: 400 }),
  );
  assertEquals([adopted.length, unreadable, removed], [2, [], [{ file_path: name, reason: "bytes_missing" }]]);
  assertEquals(await leftovers(project.id), { rows: 2, objects: 2 });
});

Deno.test("reconcile_files: an object that its owner removes while it is read is named nowhere", async () => {
  const [, { adopted, unreadable, removed }] = await withOneUnread(async (project, name) => {
    await project.editor.client.storage.from("genesis-files").remove([name]);
    return Response.json({ statusCode: "404", error: "not_found", message: "Object not found" }, { status: 400 });
  });
  assertEquals([adopted.length, unreadable, removed], [2, [], []]);
});

Deno.test("reconcile_files: an object of which other bytes come than there are is named, and stands in no other's way", async () => {
  const [project, { adopted, unreadable }, name] = await withOneUnread(() => new Response("decoded on the way"));
  assertEquals([adopted.length, unreadable], [2, [{ file_path: name }]]);
  assertEquals((await reconcile(project)).more, false);
});

Deno.test("reconcile_files: no more is read of an object than the bucket takes", async () => {
  let given = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    given += 1_048_576;
    controller.enqueue(new Uint8Array(1_048_576));
    if (given >= 2 * MAX_FILE_BYTES) controller.close();
  };
  const [, { unreadable }, name] = await withOneUnread(() => new Response(new ReadableStream({ pull })));
  assertEquals(unreadable, [{ file_path: name }]);
  assert(given < 1.5 * MAX_FILE_BYTES, `${given} bytes were read`);
});

Deno.test("reconcile_files: the objects of a deleted project go", async () => {
  const project = await fresh();
  await call(project.editor, "upload-file", textUpload(project.id));
  await project.owner.client.from("projects").delete().eq("id", project.id);
  assertEquals(await leftovers(project.id), { rows: 0, objects: 1 });
  // Over all projects, where uploads of other tests are under way: only what is old is looked at.
  await sql()`update storage.objects set created_at = '2000-01-01' where name like ${project.id + "/%"}`;
  const { removed } = assertAnswer(await call("worker", "upload-file/reconcile", { limit: 100 }), reconcileFiles, 200);
  assert(removed.some(({ file_path, reason }: Body) => file_path.startsWith(project.id) && reason === "project_gone"));
  assertEquals(await leftovers(project.id), NOTHING);
});

Deno.test("reconcile_files: an archived project is at rest, and the contract says so", async () => {
  const project = await fresh();
  await setStatus(project, "archived");
  assertRefused(await call(project.owner, "upload-file/reconcile", { project_id: project.id }), "project_not_active");
  assert(reconcileFiles.errors.includes("project_not_active"));
});

Deno.test("reconcile_files: where Storage fails it is unavailable, and the next call mends", async () => {
  const project = await fresh();
  await using process = await startProcess();
  const fails = (failing: RegExp, method: string) => {
    meet = (path, used) =>
      failing.test(path) && used === method
        ? Promise.resolve(Response.json({ message: "no" }, { status: 500 }))
        : undefined;
  };
  try {
    fails(/finish_upload|^\/storage\/v1\/object\/genesis-files$/, "POST");
    const removeToo = meet;
    meet = (path, method) =>
      method === "DELETE" ? Promise.resolve(Response.json({}, { status: 500 })) : removeToo(path, method);
    assertEquals(await send(process, project, textUpload(project.id)), 500);
    assertEquals([await leftovers(project.id), await seen(project)], [{ rows: 1, objects: 1 }, [0, 0]]);
    fails(/^\/storage/, "DELETE");
    const headers = { apikey: stack.secretKey, "content-type": "application/json" };
    const body = JSON.stringify({ project_id: project.id, older_than_seconds: 0 });
    const reply = await fetch(`${process.url}/reconcile`, { method: "POST", headers, body });
    assertEquals([reply.status, (await reply.json()).error.code], [503, "unavailable"]);
  } finally {
    meet = () => undefined;
  }
  assertEquals((await reconcile(project)).removed.length, 1);
  assertEquals(await leftovers(project.id), NOTHING);
});
