// reconcile_files, adopt_file: rows and objects meet again, what is under way is left alone, and twice is as once.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createFile, createProject, type Project, storeObject } from "../../support/factories.ts";

const db = await shareDatabase();
const reconcile = (project: Project, fields = {}) =>
  db.rpc("worker", "reconcile_files", { project_id: project.id, ...fields });
const NOTHING = { removed: [], to_remove: [], to_adopt: [], more: false };
const rows = async (project: Project) =>
  (await db.sql`select id from public.file_storage where project_id = ${project.id}`).length;

async function began(project: Project, door = "register_upload") {
  const request = { project_id: project.id, file_name: "a.bin", mime_type: "application/octet-stream" };
  const size = door === "sign_upload" ? { file_size: 5 } : {};
  return (await db.rpc(project.editor.actor, door, { ...request, ...size })).file;
}
const age = (id: string, minutes: number) =>
  db.sql`update public.file_storage set created_at = now() - make_interval(mins => ${minutes}) where id = ${id}`;
const ageObject = (name: string, minutes: number) =>
  db.sql`update storage.objects set created_at = now() - make_interval(mins => ${minutes}) where name = ${name}`;

Deno.test("an upload under way is left alone, for fifteen minutes or three hours", async () => {
  const project = await createProject(db);
  await age((await began(project)).id, 14);
  await age((await began(project, "sign_upload")).id, 179);
  assertEquals(await reconcile(project), NOTHING);
  assertEquals(await rows(project), 2);
});

for (const [door, minutes] of [["register_upload", 15], ["sign_upload", 180]] as const) {
  Deno.test(`an upload by ${door} that nobody finished in ${minutes} minutes is removed`, async () => {
    const project = await createProject(db);
    const file = await began(project, door);
    await age(file.id, minutes);
    const { removed } = await reconcile(project);
    assertEquals(removed.map(({ file_path, reason }: Record<string, string>) => [file_path, reason]), [
      [file.file_path, "upload_given_up"],
    ]);
    assertEquals([await rows(project), await reconcile(project)], [0, NOTHING]);
  });
}

Deno.test("one whose object has arrived is handed over for removal until that is done, and cannot be finished", async () => {
  const project = await createProject(db);
  const file = await began(project);
  await storeObject(db, file.file_path, 5);
  for (let times = 0; times < 2; times++) {
    const { to_remove } = await reconcile(project, { older_than_seconds: 0 });
    assertEquals(to_remove.map((each: { file_path: string }) => each.file_path), [file.file_path]);
  }
  const finish = { file_id: file.id, file_size: 5, sha256: "a".repeat(64) };
  assertEquals((await db.refusal("worker", "finish_upload", finish)).code, "upload_expired");
});

Deno.test("a row that someone is finishing at the moment is skipped", async () => {
  const project = await createProject(db);
  const file = await began(project);
  await age(file.id, 60);
  await db.sql.begin(async (tx) => {
    await tx`select from public.file_storage where id = ${file.id} for update`;
    assertEquals(await reconcile(project), NOTHING);
  });
});

Deno.test("a file whose object is gone is removed, one that is whole stays", async () => {
  const project = await createProject(db);
  await createFile(db, project);
  const lost = await createFile(db, project);
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`delete from storage.objects where name = ${lost.file_path}`;
  });
  assertEquals((await reconcile(project)).removed, [{ file_path: lost.file_path, reason: "object_missing" }]);
  assertEquals([await rows(project), await reconcile(project)], [1, NOTHING]);
});

Deno.test("an object without a row is to be adopted once it is a quarter of an hour old", async () => {
  const project = await createProject(db);
  const name = `${project.id}/photos/a.png`;
  await storeObject(db, name, 7, project.editor);
  assertEquals(await reconcile(project), NOTHING);
  await ageObject(name, 16);
  const { to_adopt } = await reconcile(project);
  assertEquals(to_adopt.map((each: { file_path: string }) => each.file_path), [name]);
  const measured = { file_path: name, file_size: 7, sha256: "b".repeat(64), mime_type: "image/png", version: "1" };
  const { file } = await db.rpc("worker", "adopt_file", measured);
  assertEquals([file.status, file.file_name, file.uploaded_by, file.file_size], [
    "ready",
    "a.png",
    project.editor.id,
    7,
  ]);
  assertEquals([await reconcile(project), (await db.rpc("worker", "adopt_file", measured)).file], [NOTHING, null]);
});

Deno.test("an object that changed since it was read is not adopted", async () => {
  const project = await createProject(db);
  await storeObject(db, `${project.id}/a`, 7);
  const measured = {
    file_path: `${project.id}/a`,
    file_size: 6,
    sha256: "b".repeat(64),
    mime_type: "image/png",
    version: "1",
  };
  assertEquals((await db.rpc("worker", "adopt_file", measured)).file, null);
});

for (const status of ["archived", "deleted"]) {
  Deno.test(`in a project that is ${status} nothing is adopted, nor asked for`, async () => {
    const project = await createProject(db);
    const file_path = `${project.id}/a`;
    await storeObject(db, file_path, 7);
    const setStatus = (status: string) =>
      db.sql`update public.projects set status = ${status} where id = ${project.id}`;
    const asked = async () =>
      (await db.rpc("worker", "reconcile_files", { older_than_seconds: 0, limit: 100 })).to_adopt
        .some((each: { file_path: string }) => each.file_path === file_path);
    const adopt = async () =>
      (await db.rpc("worker", "adopt_file", {
        file_path,
        file_size: 7,
        sha256: "b".repeat(64),
        mime_type: "image/png",
        version: "1",
      })).file?.status ?? null;
    await setStatus(status);
    assertEquals([await asked(), await adopt()], [false, null]);
    await setStatus("active");
    assertEquals([await asked(), await adopt()], [true, "ready"]);
  });
}

Deno.test("an object that could not be read lets the others pass, and is asked for again after an hour", async () => {
  const project = await createProject(db);
  const names = ["a", "b"].map((name) => `${project.id}/${name}`);
  for (const name of names) await storeObject(db, name, 7);
  const next = async () =>
    (await reconcile(project, { older_than_seconds: 0, limit: 1 })).to_adopt
      .map((each: { file_path: string }) => each.file_path);
  assertEquals(await next(), [names[0]]);
  assertEquals(await db.rpc("worker", "pass_over_object", { file_path: names[0], version: "1" }), {
    passed_over: true,
  });
  assertEquals(await next(), [names[1]]);
  await db.sql`
    update private.unreadable_objects set tried_at = now() - interval '1 hour'
    where object_id = (select id from storage.objects where name = ${names[0] ?? ""})`;
  assertEquals(await next(), [names[0]]);
});

Deno.test("an object that is gone is passed over without a trace", async () => {
  assertEquals(await db.rpc("worker", "pass_over_object", { file_path: "nowhere", version: "1" }), {
    passed_over: false,
  });
});

Deno.test("an object that was replaced while it was read is not passed over", async () => {
  const project = await createProject(db);
  const file_path = `${project.id}/a`;
  await storeObject(db, file_path, 7);
  const passed = await db.rpc("worker", "pass_over_object", { file_path, version: "the one before" });
  const { to_adopt } = await reconcile(project, { older_than_seconds: 0 });
  assertEquals([passed, to_adopt.length], [{ passed_over: false }, 1]);
});

Deno.test("the objects of a project that is gone are handed over for removal", async () => {
  const project = await createProject(db);
  const file = await createFile(db, project);
  await db.sql`delete from public.projects where id = ${project.id}`;
  const { to_remove } = await db.rpc("worker", "reconcile_files", { older_than_seconds: 0, limit: 100 });
  assertEquals(
    to_remove.filter((each: { file_path: string }) => each.file_path === file.file_path).map((
      each: { reason: string },
    ) => each.reason),
    ["project_gone"],
  );
});

Deno.test("objects in no project's folder, and the dashboard's placeholders, are nobody's business here", async () => {
  const project = await createProject(db);
  for (const name of ["backup/a", "a", `${project.id}/.emptyFolderPlaceholder`]) await storeObject(db, name, 0);
  const { to_remove, to_adopt } = await db.rpc("worker", "reconcile_files", { older_than_seconds: 0, limit: 100 });
  const names = [...to_remove, ...to_adopt].map((each: { file_path: string }) => each.file_path);
  assertEquals(names.filter((name) => !/^[0-9a-f-]{36}\//.test(name) || name.includes(".empty")), []);
});

Deno.test("a batch has at most `limit` of each, and says that there is more", async () => {
  const project = await createProject(db);
  for (let index = 0; index < 5; index++) await began(project);
  const counts: [number, boolean][] = [];
  for (let round = 0; round < 3; round++) {
    const { removed, more } = await reconcile(project, { older_than_seconds: 0, limit: 2 });
    counts.push([removed.length, more]);
  }
  assertEquals(counts, [[2, true], [2, true], [1, false]]);
});

Deno.test("an owner reconciles their project and no other, and nobody else but a worker does", async () => {
  const [project, other] = [await createProject(db), await createProject(db)];
  const lost = await began(other);
  await age(lost.id, 60);
  assertEquals(await db.rpc(project.owner.actor, "reconcile_files", { project_id: project.id }), NOTHING);
  const ask = async (actor: { user: string }, request = {}) =>
    (await db.refusal(actor, "reconcile_files", request)).code;
  assertEquals(await ask(project.owner.actor, { project_id: other.id }), "project_not_found");
  assertEquals(await ask(project.owner.actor), "validation_failed");
  assertEquals(await ask(project.editor.actor, { project_id: project.id }), "forbidden");
  assertEquals(await ask(project.viewer.actor, { project_id: project.id }), "forbidden");
  assertEquals(
    (await db.refusal(project.owner.actor, "adopt_file", {
      file_path: `${project.id}/x`,
      file_size: 1,
      sha256: "a".repeat(64),
      mime_type: "a/b",
      version: "1",
    })).code,
    "forbidden",
  );
});

for (const fields of [{ limit: 0 }, { limit: 101 }, { older_than_seconds: -1 }, { older_than_seconds: 86_401 }]) {
  Deno.test(`${JSON.stringify(fields)} is validation_failed`, async () => {
    assertEquals((await db.refusal("worker", "reconcile_files", fields)).code, "validation_failed");
  });
}
