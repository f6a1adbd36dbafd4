// abort_upload: takes back the reservation of an upload that failed; only its uploader's, only while it is pending.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, removeObject, storeObject } from "../../support/factories.ts";

const db = await shareDatabase();

async function registered() {
  const project = await createProject(db);
  const { file } = await db.rpc(project.editor.actor, "register_upload", {
    project_id: project.id,
    file_name: "a.png",
  });
  return { project, file, request: { file_id: file.id } };
}

const exists = async (id: string) => (await db.sql`select from public.file_storage where id = ${id}`).length === 1;

Deno.test("an aborted upload is gone", async () => {
  const { project, file, request } = await registered();
  assertEquals(await db.rpc(project.editor.actor, "abort_upload", request), { aborted: true });
  assertEquals(await exists(file.id), false);
});

Deno.test("aborting twice changes nothing more", async () => {
  const { project, request } = await registered();
  await db.rpc(project.editor.actor, "abort_upload", request);
  assertEquals(await db.rpc(project.editor.actor, "abort_upload", request), { aborted: false });
});

Deno.test("a worker may abort for the uploader", async () => {
  const { request } = await registered();
  assertEquals(await db.rpc("worker", "abort_upload", request), { aborted: true });
});

for (const who of ["owner", "viewer", "stranger"] as const) {
  Deno.test(`the ${who} cannot abort the editor's upload`, async () => {
    const { project, file, request } = await registered();
    assertEquals(await db.rpc(project[who].actor, "abort_upload", request), { aborted: false });
    assertEquals(await exists(file.id), true);
  });
}

Deno.test("a file that is ready cannot be aborted", async () => {
  const { project, file, request } = await registered();
  await storeObject(db, file.file_path, 5);
  await db.rpc("worker", "finish_upload", { ...request, file_size: 5, sha256: "a".repeat(64) });
  assertEquals(await db.rpc(project.editor.actor, "abort_upload", request), { aborted: false });
  assertEquals(await exists(file.id), true);
});

Deno.test("where its object has arrived the row waits for Storage to remove it, and cannot be finished", async () => {
  const { project, file, request } = await registered();
  await storeObject(db, file.file_path, 5);
  assertEquals(await db.rpc(project.editor.actor, "abort_upload", request), { aborted: true });
  assertEquals(await exists(file.id), true);
  const finish = { ...request, file_size: 5, sha256: "a".repeat(64) };
  assertEquals((await db.refusal("worker", "finish_upload", finish)).code, "upload_expired");
  await removeObject(db, file.file_path);
  assertEquals(await exists(file.id), false);
});

Deno.test("someone without an account may not call it at all", async () => {
  const { request } = await registered();
  assertEquals((await db.refusal("anon", "abort_upload", request)).sqlstate, "42501");
});
