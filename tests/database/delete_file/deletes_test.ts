// delete_file, download_file: who may have a file, who may end it, and that its row goes with its object.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createFile, createProject, removeObject } from "../../support/factories.ts";

const db = await shareDatabase();
const exists = async (id: string) => (await db.sql`select from public.file_storage where id = ${id}`).length === 1;

for (const who of ["editor", "owner"] as const) {
  Deno.test(`the ${who} may delete the editor's file, and its row goes with the object`, async () => {
    const project = await createProject(db);
    const file = await createFile(db, project);
    assertEquals((await db.rpc(project[who].actor, "delete_file", { file_id: file.id })).is_gone, false);
    assertEquals(await exists(file.id), true);
    await removeObject(db, file.file_path);
    assertEquals(await exists(file.id), false);
  });
}

Deno.test("another editor may not", async () => {
  const project = await createProject(db);
  const file = await createFile(db, project);
  await db.sql`update public.project_collaborators set role = 'editor' where user_id = ${project.viewer.id}`;
  assertEquals((await db.refusal(project.viewer.actor, "delete_file", { file_id: file.id })).code, "forbidden");
});

for (const [who, code] of [["viewer", "forbidden"], ["stranger", "file_not_found"]] as const) {
  Deno.test(`a ${who} gets ${code}`, async () => {
    const project = await createProject(db);
    const file = await createFile(db, project);
    assertEquals((await db.refusal(project[who].actor, "delete_file", { file_id: file.id })).code, code);
  });
}

Deno.test("in an archived project nothing is deleted", async () => {
  const project = await createProject(db);
  const file = await createFile(db, project);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals((await db.refusal(project.owner.actor, "delete_file", { file_id: file.id })).code, "project_not_active");
});

Deno.test("an upload that is under way is ended by who began it, and is nothing to the others", async () => {
  const project = await createProject(db);
  const { file } = await db.rpc(project.editor.actor, "register_upload", { project_id: project.id, file_name: "a" });
  assertEquals((await db.refusal(project.owner.actor, "delete_file", { file_id: file.id })).code, "file_not_found");
  assertEquals((await db.rpc(project.editor.actor, "delete_file", { file_id: file.id })).is_gone, true);
});

Deno.test("an object of another bucket with the same name takes no row along", async () => {
  const project = await createProject(db);
  const file = await createFile(db, project);
  await db.sql`insert into storage.buckets (id, name) values ('other', 'other') on conflict do nothing`;
  await db.sql`insert into storage.objects (bucket_id, name) values ('other', ${file.file_path})`;
  await db.sql.begin(async (tx) => {
    await tx`select set_config('storage.allow_delete_query', 'true', true)`;
    await tx`delete from storage.objects where bucket_id = 'other'`;
  });
  assertEquals(await exists(file.id), true);
});

Deno.test("members and admins may ask for a file, also of an archived project; a stranger may not", async () => {
  const project = await createProject(db);
  const file = await createFile(db, project);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  const ask = { file_id: file.id };
  for (const person of [project.owner, project.editor, project.viewer, await createAdmin(db)]) {
    assertEquals((await db.rpc(person.actor, "download_file", ask)).file.id, file.id);
  }
  assertEquals((await db.refusal(project.stranger.actor, "download_file", ask)).code, "file_not_found");
});

Deno.test("a file under way cannot be asked for, not even by who uploads it", async () => {
  const project = await createProject(db);
  const { file } = await db.rpc(project.editor.actor, "register_upload", { project_id: project.id, file_name: "a" });
  assertEquals((await db.refusal(project.editor.actor, "download_file", { file_id: file.id })).code, "file_not_found");
});
