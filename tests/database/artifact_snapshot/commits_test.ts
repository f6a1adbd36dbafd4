// artifact_snapshot: a moment is one committed state, on every page and for good.
import { assert, assertEquals } from "@std/assert";
import { runTask, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, graph, type Project, report, startExecution } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();
const ask = (project: Project, fields: Record<string, unknown> = {}) =>
  db.rpc(project.viewer.actor, "artifact_snapshot", { project_id: project.id, ...fields });
const file = (project: Project, file_path: string, content = "text") => ({
  project_id: project.id,
  file_path,
  content,
});
const momentsOf = (project: Project) =>
  db.sql<{ at: Date }[]>`
    select distinct created_at as at from public.code_artifacts where project_id = ${project.id} order by 1`;
const hundred = Array.from({ length: 100 }, (_, index) => ({ file_path: `f${index}`, content: "x".repeat(5_000) }));

Deno.test("the files that a task brings along have one moment", async () => {
  const project = await createProject(db);
  await runTask(db, project, hundred);
  assertEquals((await momentsOf(project)).length, 1);
});

Deno.test("all saves of one transaction have one moment, however long it takes", async () => {
  const project = await createProject(db);
  await using writer = await openTransaction(db, project.editor.actor);
  await writer.rpc("save_artifact", file(project, "a"));
  await writer.sql`select pg_sleep(0.01)`;
  await writer.rpc("save_artifact", file(project, "b"));
  await writer.commit();
  assertEquals((await momentsOf(project)).length, 1);
});

Deno.test("all files that a revert writes have one moment", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, hundred);
  await db.rpc(project.editor.actor, "revert_execution", { execution_id: execution });
  assertEquals((await momentsOf(project)).length, 2);
});

Deno.test("two transactions have two moments, later the later they commit, also where the last began first", async () => {
  const project = await createProject(db);
  await using early = await openTransaction(db, project.editor.actor);
  await early.sql`select now()`;
  for (const path of ["a", "b", "c"]) await save(db, project, path, "text");
  await early.rpc("save_artifact", file(project, "last"));
  await early.commit();
  const rows = await db.sql<{ file_path: string; at: number }[]>`
    select file_path, extract(epoch from created_at)::float8 as at from public.code_artifacts
    where project_id = ${project.id} order by created_at`;
  assertEquals(rows.map((row) => row.file_path), ["a", "b", "c", "last"]);
  assertEquals(new Set(rows.map((row) => row.at)).size, 4);
});

Deno.test("a snapshot answers the same for good, whatever was still open when it was taken", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  await using writer = await openTransaction(db, project.editor.actor);
  await writer.rpc("save_artifact", file(project, "held"));
  await writer.sql`select pg_sleep(0.01)`;
  const during = await ask(project);
  await writer.commit();
  assertEquals(during.files.map((each: { file_path: string }) => each.file_path), ["a"]);
  assertEquals(await ask(project, { at: during.at }), during);
});

Deno.test("so does the one of a project whose first file is still open", async () => {
  const project = await createProject(db);
  await using writer = await openTransaction(db, project.editor.actor);
  await writer.rpc("save_artifact", file(project, "held"));
  const during = await ask(project);
  await writer.commit();
  assertEquals([during.files, (await ask(project, { at: during.at })).files], [[], []]);
});

Deno.test("the moment that is answered for one asked for keeps its meaning, whatever was open", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  await using writer = await openTransaction(db, project.editor.actor);
  await writer.rpc("save_artifact", file(project, "held"));
  const during = await ask(project, { at: "2999-01-01T00:00:00Z" });
  await writer.commit();
  assertEquals(await ask(project, { at: during.at }), during);
});

Deno.test("a moment before the last change is answered as it was asked for", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const at = "2001-01-01T00:00:00+00:00";
  assertEquals(await ask(project, { at }), { at, files: [], next_after: null });
});

Deno.test("what a caller has saved is in the snapshot it asks for next, while somebody else's save waits", async () => {
  const project = await createProject(db);
  await using first = await openTransaction(db, project.editor.actor);
  await using second = await openTransaction(db, project.owner.actor);
  await first.rpc("save_artifact", file(project, "mine"));
  const waiting = second.rpc("save_artifact", file(project, "theirs")).then(second.commit);
  await waitUntilBlocked(db, second);
  await first.commit();
  const { files } = await ask(project);
  assert(files.some((each: { file_path: string }) => each.file_path === "mine"));
  await waiting;
});

Deno.test("who saves in one project does not wait for who saves in another", async () => {
  const [project, other] = [await createProject(db), await createProject(db)];
  await using writer = await openTransaction(db, project.editor.actor);
  await writer.rpc("save_artifact", file(project, "held"));
  assertEquals((await save(db, other, "a", "one")).version, 1);
});

Deno.test("a completion without artifacts does not wait for who saves", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const task = await claimNode(db, execution.id, "a");
  await using writer = await openTransaction(db, project.editor.actor);
  await writer.rpc("save_artifact", file(project, "held"));
  assertEquals((await db.rpc("worker", "complete_task", report(task))).task.status, "completed");
});
