// finish_upload: the service makes a file ready once its object is there, as large as was read, while its uploader may write.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, storeObject } from "../../support/factories.ts";

const db = await shareDatabase();
const sha256 = "a".repeat(64);

/** An upload that was registered and whose object has arrived. */
async function arrived(size = 5) {
  const project = await createProject(db);
  const { file } = await db.rpc(project.editor.actor, "register_upload", {
    project_id: project.id,
    file_name: "a.png",
  });
  await storeObject(db, file.file_path, size);
  return { project, file, request: { file_id: file.id, file_size: 5, sha256, mime_type: "image/png" } };
}

Deno.test("a finished file is ready, with size, hash and type, and every member sees it", async () => {
  const { project, request } = await arrived();
  const { file } = await db.rpc("worker", "finish_upload", request);
  assertEquals([file.status, file.file_size, file.sha256, file.mime_type], ["ready", 5, sha256, "image/png"]);
  const rows = await db.as(project.viewer.actor, (tx) => tx`select id from public.file_storage`);
  assertEquals(rows.map((row) => row.id), [file.id]);
});

Deno.test("until then only who uploads it sees it", async () => {
  const { project, file } = await arrived();
  const seenBy = async (person: { actor: { user: string } }) =>
    (await db.as(person.actor, (tx) => tx`select from public.file_storage where id = ${file.id}`)).length;
  assertEquals([await seenBy(project.editor), await seenBy(project.owner), await seenBy(project.viewer)], [1, 0, 0]);
});

Deno.test("a file whose type nobody knows is a stream of bytes", async () => {
  const { request } = await arrived();
  const { file } = await db.rpc("worker", "finish_upload", { ...request, mime_type: null });
  assertEquals(file.mime_type, "application/octet-stream");
});

for (const who of ["owner", "editor", "viewer", "stranger"] as const) {
  Deno.test(`the ${who} cannot say themselves what a file is`, async () => {
    const { project, request } = await arrived();
    assertEquals((await db.refusal(project[who].actor, "finish_upload", request)).code, "forbidden");
  });
}

Deno.test("an upload that is over its time cannot be finished", async () => {
  const { file, request } = await arrived();
  await db.sql`update public.file_storage set created_at = now() - interval '15 minutes' where id = ${file.id}`;
  assertEquals((await db.refusal("worker", "finish_upload", request)).code, "upload_expired");
});

Deno.test("an object that has not arrived is file_not_found", async () => {
  const project = await createProject(db);
  const { file } = await db.rpc(project.editor.actor, "register_upload", {
    project_id: project.id,
    file_name: "a.png",
  });
  const refusal = await db.refusal("worker", "finish_upload", { file_id: file.id, file_size: 5, sha256 });
  assertEquals([refusal.code, refusal.sqlstate], ["file_not_found", "PT404"]);
});

Deno.test("an object of another size is validation_failed, and the file stays pending", async () => {
  const { file, request } = await arrived(6);
  const refusal = await db.refusal("worker", "finish_upload", request);
  assertEquals([refusal.code, refusal.details], ["validation_failed", { sent: 5, stored: 6 }]);
  const [row] = await db.sql`select status from public.file_storage where id = ${file.id}`;
  assertEquals(row?.status, "pending");
});

for (
  const fields of [{ sha256: "x" }, { sha256: null }, { sha256: "A".repeat(64) }, { file_size: null }, {
    file_size: -5,
  }]
) {
  Deno.test(`${JSON.stringify(fields).slice(0, 30)} is validation_failed`, async () => {
    const { request } = await arrived();
    const refusal = await db.refusal("worker", "finish_upload", { ...request, ...fields });
    assertEquals(refusal.code, "validation_failed", refusal.message);
  });
}

Deno.test("a file that is finished already is answered again, and is file_not_pending where other bytes were read", async () => {
  const { request } = await arrived();
  const finished = await db.rpc("worker", "finish_upload", request);
  assertEquals(await db.rpc("worker", "finish_upload", request), finished);
  const refusal = await db.refusal("worker", "finish_upload", { ...request, sha256: "f".repeat(64) });
  assertEquals([refusal.code, refusal.sqlstate], ["file_not_pending", "PT409"]);
});

const CHANGES: [string, (project: { id: string; editor: { id: string } }) => Promise<unknown>][] = [
  ["who was removed", ({ editor }) => db.sql`delete from public.project_collaborators where user_id = ${editor.id}`],
  [
    "who became a viewer",
    ({ editor }) => db.sql`update public.project_collaborators set role = 'viewer' where user_id = ${editor.id}`,
  ],
];
for (const [claim, change] of CHANGES) {
  Deno.test(`the upload of someone ${claim} meanwhile is not finished`, async () => {
    const { project, request } = await arrived();
    await change(project);
    assertEquals((await db.refusal("worker", "finish_upload", request)).code, "file_not_found");
  });
}

Deno.test("in a project archived meanwhile nothing is finished", async () => {
  const { project, request } = await arrived();
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals((await db.refusal("worker", "finish_upload", request)).code, "project_not_active");
});

Deno.test("someone without an account may not call it at all", async () => {
  const { request } = await arrived();
  assertEquals((await db.refusal("anon", "finish_upload", request)).sqlstate, "42501");
});
