// delete_artifact: a deletion is the next version of a path, and takes nothing from its history.
import { assertEquals } from "@std/assert";
import { files, remove, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createAdmin, createProject, graph, report, startExecution } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();
const at = (project: { id: string }, fields = {}) => ({ project_id: project.id, file_path: "a", ...fields });

Deno.test("a deletion is the next version, without text, by whoever deleted", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const gone = await remove(db, project, "a");
  assertEquals([gone.version, gone.is_deleted, gone.is_active, gone.created_by], [2, true, false, project.editor.id]);
  assertEquals([gone.content_sha256, gone.content_bytes], [null, null]);
});

Deno.test("a deleted file is among no active artifacts, and its versions stay", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  await save(db, project, "b", "two");
  await remove(db, project, "a");
  assertEquals(await files(db, project), { b: "two" });
  const [row] = await db.sql`
    select public.content(a) as text from public.code_artifacts as a
    where a.project_id = ${project.id} and a.file_path = 'a' and a.version = 1`;
  assertEquals(row?.text, "one");
});

Deno.test("a deletion that waits for the project's own is told that there is no project any more", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  await using owner = await openTransaction(db, project.owner.actor);
  await using editor = await openTransaction(db, project.editor.actor);
  await owner.sql`delete from public.projects where id = ${project.id}`;
  const waiting = editor.rpc("delete_artifact", at(project)).catch((error) => error.hint);
  await waitUntilBlocked(db, editor);
  await owner.commit();
  assertEquals(await waiting, "project_not_found");
});

Deno.test("deleting twice makes one deletion", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const first = await db.rpc(project.editor.actor, "delete_artifact", at(project));
  const again = await db.rpc(project.editor.actor, "delete_artifact", at(project));
  assertEquals([first.unchanged, again.unchanged, again.artifact.id], [false, true, first.artifact.id]);
});

for (const base_version of [0, 2]) {
  Deno.test(`after a deletion a save with base_version ${base_version} goes through and numbers go on`, async () => {
    const project = await createProject(db);
    await save(db, project, "a", "one");
    await remove(db, project, "a");
    const { version, is_active } = await save(db, project, "a", "again", { base_version });
    assertEquals([version, is_active], [3, true]);
  });
}

Deno.test("a save based on what was there before the deletion is artifact_conflict", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  await remove(db, project, "a");
  const refusal = await db.refusal(
    project.editor.actor,
    "save_artifact",
    at(project, { content: "late", base_version: 1 }),
  );
  assertEquals([refusal.code, refusal.details.head_version], ["artifact_conflict", 2]);
});

Deno.test("a deletion based on an old version is artifact_conflict and deletes nothing", async () => {
  const project = await createProject(db);
  for (const text of ["one", "two"]) await save(db, project, "a", text);
  const refusal = await db.refusal(project.editor.actor, "delete_artifact", at(project, { base_version: 1 }));
  assertEquals(refusal.code, "artifact_conflict");
  assertEquals(await files(db, project), { a: "two" });
});

Deno.test("a file that never was, or whose path is none, is artifact_not_found", async () => {
  const project = await createProject(db);
  for (const file_path of ["never", "../a", null]) {
    const refusal = await db.refusal(project.editor.actor, "delete_artifact", at(project, { file_path }));
    assertEquals(refusal.code, "artifact_not_found");
  }
});

Deno.test("a task of another project is task_not_found", async () => {
  const [project, other] = [await createProject(db), await createProject(db)];
  await save(db, project, "a", "one");
  const { tasks: [task] } = await startExecution(db, other, graph([["a", "b"]]));
  const refusal = await db.refusal(project.editor.actor, "delete_artifact", at(project, { task_id: task.id }));
  assertEquals(refusal.code, "task_not_found");
});

Deno.test("a task can delete a file with its completion, and is known for it", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const task = await claimNode(db, execution.id, "a");
  await db.rpc("worker", "complete_task", report(task, { artifacts: [{ file_path: "a", deleted: true }] }));
  const [row] = await db.sql`
    select task_id, is_deleted from public.code_artifacts where project_id = ${project.id} and version = 2`;
  assertEquals({ ...row }, { task_id: task.id, is_deleted: true });
});

Deno.test("viewers and admins are forbidden, strangers and former editors cannot tell the project", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const codeFor = async (actor: { user: string }) => (await db.refusal(actor, "delete_artifact", at(project))).code;
  assertEquals(await codeFor(project.viewer.actor), "forbidden");
  assertEquals(await codeFor((await createAdmin(db)).actor), "forbidden");
  assertEquals(await codeFor(project.stranger.actor), "project_not_found");
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals(await codeFor(project.editor.actor), "project_not_found");
});

for (
  const [what, statement] of [
    ["a deletion that is the active version", "is_active = true"],
    ["a deletion with a size", "content_bytes = 1"],
    ["a version restored from a later one", "restored_from = 2"],
  ]
) {
  Deno.test(`${what} is unstorable`, async () => {
    const project = await createProject(db);
    await save(db, project, "a", "one");
    await remove(db, project, "a");
    const stored = await db.sql.unsafe(
      `update public.code_artifacts set ${statement} where project_id = '${project.id}' and version = 2`,
    ).then(() => "stored", (error) => error.code);
    assertEquals(stored, "23514");
  });
}
