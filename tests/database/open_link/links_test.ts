// open_link: a link leads to its file while the person who got it may read the file.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createFile, createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const made = async () => {
  const project = await createProject(db);
  return { project, file: await createFile(db, project) };
};
const open = (file_id: string, user_id: string | null) => db.rpc("worker", "open_link", { file_id, user_id });
const refused = async (file_id: string, user_id: string | null) =>
  (await db.refusal("worker", "open_link", { file_id, user_id })).code;

Deno.test("the link of every member, of an admin and of a worker says where the bytes are", async () => {
  const { project, file } = await made();
  const admin = await createAdmin(db);
  for (const user of [project.viewer.id, project.editor.id, project.owner.id, admin.id, null]) {
    assertEquals(await open(file.id, user), {
      bucket_name: "genesis-files",
      file_path: file.file_path,
      file_name: "notes.txt",
      served_as: null,
    });
  }
});

Deno.test("a stranger's link leads nowhere", async () => {
  const { project, file } = await made();
  assertEquals(await refused(file.id, project.stranger.id), "file_not_found");
});

Deno.test("a link ends with the membership of who got it", async () => {
  const { project, file } = await made();
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals(await refused(file.id, project.editor.id), "file_not_found");
});

Deno.test("in a deleted project only owners' links go on, as their other reads do", async () => {
  const { project, file } = await made();
  await db.sql`update public.projects set status = 'deleted' where id = ${project.id}`;
  assertEquals(await refused(file.id, project.viewer.id), "file_not_found");
  assertEquals((await open(file.id, project.owner.id)).file_path, file.file_path);
});

Deno.test("a link to a file that is pending, or gone, leads nowhere", async () => {
  const { project, file } = await made();
  await db.sql`update public.file_storage set status = 'pending' where id = ${file.id}`;
  assertEquals(await refused(file.id, project.editor.id), "file_not_found");
  assertEquals(await refused(crypto.randomUUID(), null), "file_not_found");
});

Deno.test("nobody but the service opens links by who got them", async () => {
  const { project, file } = await made();
  const request = { file_id: file.id, user_id: project.owner.id };
  assertEquals((await db.refusal(project.owner.actor, "open_link", request)).code, "forbidden");
});
