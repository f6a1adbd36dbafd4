// storage.objects: what a row of file_storage stands for keeps its bytes and its place, whoever writes and with what token.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createFile, createProject, type Person, removeObject, storeObject } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();
const DENIED = "42501";

/** What Storage does, with rights of its own, once the bytes of an upsert have arrived. */
const replace = (name: string, by?: Person) =>
  db.sql`
    update storage.objects set version = ${crypto.randomUUID()}, owner_id = coalesce(${by?.id ?? null}, owner_id)
    where name = ${name}`;
const sqlstate = async (statement: PromiseLike<unknown>) => (await refused(statement)).sqlstate;
const begin = async (door: "register_upload" | "sign_upload") => {
  const project = await createProject(db);
  const size = door === "sign_upload" ? { file_size: 5 } : {};
  const request = { project_id: project.id, file_name: "a", mime_type: "text/plain", ...size };
  return { project, file: (await db.rpc(project.editor.actor, door, request)).file };
};

Deno.test("the bytes of a ready file are replaced by nobody, not even with the secret key", async () => {
  const project = await createProject(db);
  const { file_path } = await createFile(db, project);
  for (const by of [project.editor, project.owner, undefined]) {
    assertEquals(await sqlstate(replace(file_path, by)), DENIED);
  }
});

Deno.test("a ready file does not take another name", async () => {
  const project = await createProject(db);
  const { file_path } = await createFile(db, project);
  const move = db.sql`update storage.objects set name = ${project.id + "/moved"} where name = ${file_path}`;
  assertEquals(await sqlstate(move), DENIED);
});

Deno.test("what Storage notes of a ready file beside its bytes may change", async () => {
  const { file_path } = await createFile(db, await createProject(db));
  await db.sql`update storage.objects set last_accessed_at = now() where name = ${file_path}`;
});

Deno.test("the bytes of an upload that is being finished stay those that are read", async () => {
  const { project, file } = await begin("sign_upload");
  await storeObject(db, file.file_path, 5, project.editor);
  await db.rpc(project.editor.actor, "check_upload", { file_id: file.id });
  assertEquals(await sqlstate(replace(file.file_path, project.editor)), DENIED);
});

Deno.test("where a ready file has lost its object, nothing takes the place", async () => {
  const project = await createProject(db);
  const { file_path } = await createFile(db, project);
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`delete from storage.objects where name = ${file_path}`;
  });
  assertEquals(await sqlstate(storeObject(db, file_path, 5, project.editor)), DENIED);
  const name = `${project.id}/loose`;
  await storeObject(db, name, 5, project.editor);
  assertEquals(await sqlstate(db.sql`update storage.objects set name = ${file_path} where name = ${name}`), DENIED);
});

Deno.test("an object without a row is replaced and moved by whom it belongs to, and by nobody else", async () => {
  const project = await createProject(db);
  const name = `${project.id}/notes.txt`;
  await storeObject(db, name, 5, project.editor);
  assertEquals(await sqlstate(replace(name, project.owner)), DENIED);
  await replace(name, project.editor);
  await db.sql`update storage.objects set name = ${name + ".old"} where name = ${name}`;
});

Deno.test("who was removed replaces nothing with a token from before", async () => {
  const project = await createProject(db);
  const name = `${project.id}/notes.txt`;
  await storeObject(db, name, 5, project.editor);
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals(await sqlstate(replace(name, project.editor)), DENIED);
});

Deno.test("a replacement that meets its adoption as a file waits for it, and is refused", async () => {
  const project = await createProject(db);
  const name = `${project.id}/notes.txt`;
  await storeObject(db, name, 5, project.editor);
  const measured = { file_path: name, file_size: 5, sha256: "a".repeat(64), mime_type: "text/plain", version: "1" };
  await using adoption = await openTransaction(db, "worker");
  await adoption.rpc("adopt_file", measured);
  await using upload = await openTransaction(db, "superuser");
  const replaced = sqlstate(upload.sql`update storage.objects set version = '2' where name = ${name}`);
  await waitUntilBlocked(db, upload, replaced);
  await adoption.commit();
  assertEquals(await replaced, DENIED);
});

Deno.test("an object that is replaced while it is read is not adopted, also where the size is the same", async () => {
  const project = await createProject(db);
  const name = `${project.id}/notes.txt`;
  await storeObject(db, name, 5, project.editor);
  await replace(name, project.editor);
  const measured = { file_path: name, file_size: 5, sha256: "a".repeat(64), mime_type: "text/plain", version: "1" };
  assertEquals((await db.rpc("worker", "adopt_file", measured)).file, null);
});

Deno.test("nobody else puts anything in the place of an upload under way", async () => {
  const { project, file } = await begin("sign_upload");
  assertEquals(await sqlstate(storeObject(db, file.file_path, 5, project.owner)), DENIED);
  await storeObject(db, file.file_path, 5, project.editor);
});

Deno.test("the place of a file that was deleted takes nothing any more", async () => {
  const project = await createProject(db);
  const { file_path } = await createFile(db, project);
  await removeObject(db, file_path);
  for (const by of [project.editor, undefined]) {
    assertEquals(await sqlstate(storeObject(db, file_path, 5, by)), DENIED);
  }
});

Deno.test("the place of an upload that was given up takes nothing any more", async () => {
  const { project, file } = await begin("register_upload");
  await db.rpc(project.editor.actor, "abort_upload", { file_id: file.id });
  assertEquals(await sqlstate(storeObject(db, file.file_path, 5, project.editor)), DENIED);
});

Deno.test("the place of an upload over its time takes nothing any more", async () => {
  const { project, file } = await begin("register_upload");
  await db.sql`update public.file_storage set created_at = now() - interval '15 minutes' where id = ${file.id}`;
  assertEquals(await sqlstate(storeObject(db, file.file_path, 5, project.editor)), DENIED);
});
