// revert_execution: what one execution wrote is undone where nobody wrote since; the rest is kept, with the reason.
import { assertEquals } from "@std/assert";
import { files, remove, runTask, save } from "../../support/artifacts.ts";
import { refusalOf, shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createAdmin,
  createProject,
  graph,
  type Project,
  report,
  startExecution,
} from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();
const revert = (project: Project, execution_id: string) =>
  db.rpc(project.editor.actor, "revert_execution", { execution_id });

Deno.test("files come back as they were, new ones go, deleted ones return", async () => {
  const project = await createProject(db);
  for (const path of ["changed", "deleted", "untouched"]) await save(db, project, path, `old ${path}`);
  const { execution } = await runTask(db, project, [
    { file_path: "changed", content: "new" },
    { file_path: "deleted", deleted: true },
    { file_path: "made/here", content: "new" },
  ]);
  const { reverted, kept } = await revert(project, execution);
  assertEquals(await files(db, project), {
    changed: "old changed",
    deleted: "old deleted",
    untouched: "old untouched",
  });
  assertEquals(kept, []);
  assertEquals(
    reverted.map((
      each: Record<string, unknown>,
    ) => [each.file_path, each.version, each.restored_from, each.is_deleted]),
    [["changed", 3, 1, false], ["deleted", 3, 1, false], ["made/here", 2, null, true]],
  );
});

Deno.test("a revert is versions by whoever reverts, and nothing of the history is lost", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "old", { metadata: { a: 1 }, language: "ts" });
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new", language: "js" }]);
  const { reverted: [back] } = await revert(project, execution);
  assertEquals([back.created_by, back.task_id, back.metadata, back.language], [
    project.editor.id,
    null,
    { a: 1 },
    "ts",
  ]);
  const rows = await db.sql`
    select public.content(a) as text from public.code_artifacts as a where project_id = ${project.id} order by version`;
  assertEquals(rows.map((row) => row.text), ["old", "new", "old"]);
});

Deno.test("a path that somebody wrote since is kept, with who and why, and the others are reverted", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, [
    { file_path: "a", content: "new" },
    { file_path: "b", content: "new" },
  ]);
  await save(db, project, "a", "mine", { by: project.owner.actor });
  const { reverted, kept } = await revert(project, execution);
  assertEquals(kept, [{ file_path: "a", reason: "changed_since", version: 2, created_by: project.owner.id }]);
  assertEquals(reverted.map((each: { file_path: string }) => each.file_path), ["b"]);
  assertEquals(await files(db, project), { a: "mine" });
});

Deno.test("a path that another execution wrote since is kept", async () => {
  const project = await createProject(db);
  const first = await runTask(db, project, [{ file_path: "a", content: "first" }]);
  const second = await runTask(db, project, [{ file_path: "a", content: "second" }]);
  assertEquals((await revert(project, first.execution)).kept.length, 1);
  assertEquals((await revert(project, second.execution)).reverted.length, 1);
  assertEquals(await files(db, project), { a: "first" });
});

Deno.test("runs that wrote one file are undone one after another, the last first", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "old");
  const runs: string[] = [];
  for (const content of ["first", "second", "third"]) {
    const artifacts = [{ file_path: "a", content }, { file_path: "new", content, deleted: content === "second" }];
    runs.unshift((await runTask(db, project, artifacts)).execution);
  }
  const left: Record<string, string>[] = [];
  for (const execution of runs) {
    assertEquals((await revert(project, execution)).kept, []);
    left.push(await files(db, project));
  }
  assertEquals(left, [{ a: "second" }, { a: "first", new: "first" }, { a: "old" }]);
});

Deno.test("a file that was changed and restored to what the execution left is undone", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new" }]);
  const [made] = await db.sql`select id from public.code_artifacts where project_id = ${project.id}`;
  await save(db, project, "a", "mine");
  await db.rpc(project.editor.actor, "restore_artifact", { artifact_id: made?.id });
  assertEquals((await revert(project, execution)).kept, []);
  assertEquals(await files(db, project), {});
});

Deno.test("another execution that had a file in the end as it found it keeps nothing from being undone", async () => {
  const project = await createProject(db);
  await save(db, project, "deleted", "before");
  const { execution } = await runTask(db, project, [
    { file_path: "made", content: "new" },
    { file_path: "deleted", deleted: true },
  ]);
  const other = await runTask(db, project, [
    { file_path: "made", content: "other" },
    { file_path: "made", content: "new" },
    { file_path: "deleted", content: "for a moment" },
    { file_path: "deleted", deleted: true },
  ]);
  assertEquals((await revert(project, other.execution)).reverted, []);
  assertEquals((await revert(project, execution)).kept, []);
  assertEquals(await files(db, project), { deleted: "before" });
});

Deno.test("two executions of which one wrote, and the other put it back, keep it", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new" }]);
  await runTask(db, project, [{ file_path: "a", content: "other" }]);
  await runTask(db, project, [{ file_path: "a", content: "new" }]);
  assertEquals((await revert(project, execution)).kept[0].reason, "changed_since");
});

Deno.test("what another execution wrote is kept, also where it is what the first one had left", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new" }]);
  await save(db, project, "a", "mine");
  await runTask(db, project, [{ file_path: "a", content: "new" }]);
  assertEquals((await revert(project, execution)).kept[0].reason, "changed_since");
});

Deno.test("what somebody wrote after a file was put back is kept", async () => {
  const project = await createProject(db);
  const first = await runTask(db, project, [{ file_path: "a", content: "first" }]);
  const second = await runTask(db, project, [{ file_path: "a", content: "second" }]);
  await revert(project, second.execution);
  await save(db, project, "a", "mine");
  assertEquals((await revert(project, first.execution)).kept[0].reason, "changed_since");
});

Deno.test("several versions by one execution are undone together", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "old");
  const { execution } = await startExecution(db, project, graph([["a", "b"], ["b", "__end__"]]));
  for (const node of ["a", "b"]) {
    const task = await claimNode(db, execution.id, node);
    await db.rpc("worker", "complete_task", report(task, { artifacts: [{ file_path: "a", content: `by ${node}` }] }));
  }
  await revert(project, execution.id);
  assertEquals(await files(db, project), { a: "old" });
});

Deno.test("what somebody wrote between two versions of the execution is never undone", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"], ["b", "__end__"]]));
  for (const node of ["a", "b"]) {
    const task = await claimNode(db, execution.id, node);
    await db.rpc("worker", "complete_task", report(task, { artifacts: [{ file_path: "a", content: `by ${node}` }] }));
    if (node === "a") await save(db, project, "a", "between");
  }
  const { kept } = await revert(project, execution.id);
  assertEquals(kept.map((each: { reason: string }) => each.reason), ["changed_since"]);
  assertEquals(await files(db, project), { a: "by b" });
});

Deno.test("what an execution changed beside the text is undone, too", async () => {
  const project = await createProject(db);
  const before = { name: "Plan", language: "md", type: "file", metadata: { state: "approved" } };
  await save(db, project, "a", "same", before);
  const { execution } = await runTask(db, project, [
    { file_path: "a", content: "same", name: "Else", language: "js", type: "snippet", metadata: { state: "rejected" } },
  ]);
  const { reverted: [{ name, language, type, metadata }] } = await revert(project, execution);
  assertEquals({ name, language, type, metadata }, before);
});

Deno.test("a run that was reverted, retried and reverted again leaves nothing: putting a file back is no change", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "old");
  const { execution } = await startExecution(
    db,
    project,
    graph([["first", "second"]], { second: { retry: { max_attempts: 1 } } }),
  );
  const complete = async (node: string, fields: Record<string, unknown>) =>
    await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, node), fields));
  const artifacts = (content: string) => [{ file_path: "a", content }, { file_path: "new", content }];
  await complete("first", { artifacts: artifacts("first") });
  await complete("second", { status: "failed", error_message: "out of ideas" });
  await revert(project, execution.id);
  await db.rpc(project.editor.actor, "retry_execution", { execution_id: execution.id });
  await complete("second", { artifacts: artifacts("second") });
  assertEquals((await revert(project, execution.id)).kept, []);
  assertEquals(await files(db, project), { a: "old" });
});

Deno.test("a version from before the limit of metadata does not come back, and keeps no other path from it", async () => {
  const project = await createProject(db);
  for (const path of ["large", "small"]) await save(db, project, path, "old");
  const artifacts = ["large", "small"].map((file_path) => ({ file_path, content: "new" }));
  const { execution } = await runTask(db, project, artifacts);
  await db.sql`
    update public.code_artifacts set metadata = ${db.sql.json({ k: "m".repeat(16_384) })}
    where project_id = ${project.id} and file_path = 'large' and version = 1`;
  const { kept: [{ file_path, reason }] } = await revert(project, execution);
  assertEquals([file_path, reason], ["large", "metadata_too_large"]);
  assertEquals(await files(db, project), { large: "new", small: "old" });
});

Deno.test("reverting twice changes nothing the second time, and says why", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "old");
  const { execution } = await runTask(db, project, [
    { file_path: "a", content: "new" },
    { file_path: "b", content: "new" },
  ]);
  await revert(project, execution);
  const { reverted, kept } = await revert(project, execution);
  assertEquals(reverted, []);
  assertEquals(kept.map((each: { reason: string }) => each.reason), ["already_as_before", "already_as_before"]);
});

Deno.test("a file that was deleted before the execution made it is deleted again", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "old");
  await remove(db, project, "a");
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new" }]);
  assertEquals((await revert(project, execution)).reverted[0].is_deleted, true);
  assertEquals(await files(db, project), {});
});

Deno.test("an execution that wrote nothing reverts nothing", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, []);
  assertEquals(await revert(project, execution), { reverted: [], kept: [], next_after: null });
});

Deno.test("a save that is under way is seen: the path is kept and not overwritten", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new" }]);
  await using saver = await openTransaction(db, project.owner.actor);
  await using reverter = await openTransaction(db, project.editor.actor);
  await saver.rpc("save_artifact", { project_id: project.id, file_path: "a", content: "mine" });
  const waiting = reverter.rpc("revert_execution", { execution_id: execution });
  await waitUntilBlocked(db, reverter);
  await saver.commit();
  assertEquals((await waiting).kept[0].reason, "changed_since");
  await reverter.commit();
  assertEquals(await files(db, project), { a: "mine" });
});

Deno.test("an execution that is retried while its revert waits is at work again, and is not undone", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(
    db,
    project,
    graph([["first", "second"]], { second: { retry: { max_attempts: 1 } } }),
  );
  const complete = async (node: string, fields: Record<string, unknown>) =>
    await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, node), fields));
  await complete("first", { artifacts: [{ file_path: "a", content: "new" }] });
  await complete("second", { status: "failed", error_message: "out of ideas" });
  await using saver = await openTransaction(db, project.owner.actor);
  await using reverter = await openTransaction(db, project.editor.actor);
  await saver.rpc("save_artifact", { project_id: project.id, file_path: "b", content: "mine" });
  const refusal = reverter.rpc("revert_execution", { execution_id: execution.id }).catch(refusalOf);
  await waitUntilBlocked(db, reverter);
  await db.rpc(project.owner.actor, "retry_execution", { execution_id: execution.id });
  await saver.commit();
  assertEquals((await refusal).code, "execution_still_running");
  assertEquals(await files(db, project), { a: "new", b: "mine" });
});

Deno.test("ten thousand paths are reverted at once, with at most one lock per group of them", async () => {
  const project = await createProject(db);
  const { execution, task } = await runTask(db, project, []);
  await db.sql`
    select private.save_artifact(${project.id}, 'f' || i, 'text ' || i, null, null, null, ${task}, null, null)
    from generate_series(1, 10000) as i`;
  await using transaction = await openTransaction(db, project.editor.actor);
  assertEquals((await transaction.rpc("revert_execution", { execution_id: execution })).reverted.length, 10000);
  const [row] = await db.sql`
    select count(*)::int as n from pg_locks where locktype = 'advisory' and pid = ${transaction.pid}`;
  assertEquals(row?.n > 0 && row.n <= 256, true, `It holds ${row?.n} locks`);
});

Deno.test("a part ends after as many paths as were asked for, and the next begins behind it", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(
    db,
    project,
    ["b", "d", "a", "c"].map((file_path) => ({ file_path, content: "new" })),
  );
  await save(db, project, "b", "mine");
  const part = async (after?: string) => {
    const args = { execution_id: execution, limit: 2, ...after === undefined ? {} : { after } };
    const { reverted, kept, next_after } = await db.rpc(project.editor.actor, "revert_execution", args);
    const names = (list: { file_path: string }[]) => list.map((each) => each.file_path);
    return [names(reverted), names(kept), next_after];
  };
  assertEquals(await part(), [["a"], ["b"], "b"]);
  assertEquals(await files(db, project), { b: "mine", c: "new", d: "new" });
  assertEquals(await part("b"), [["c", "d"], [], null]);
  assertEquals(await files(db, project), { b: "mine" });
});

Deno.test("a part has at most ten thousand paths", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, []);
  const refusal = await db.refusal(project.editor.actor, "revert_execution", {
    execution_id: execution,
    limit: 10_001,
  });
  assertEquals(refusal.code, "validation_failed");
});

Deno.test("an execution that still runs is execution_still_running", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const refusal = await db.refusal(project.editor.actor, "revert_execution", { execution_id: execution.id });
  assertEquals([refusal.code, refusal.sqlstate], ["execution_still_running", "PT409"]);
});

Deno.test("viewers and admins are forbidden, strangers cannot tell the execution from none", async () => {
  const project = await createProject(db);
  const { execution } = await runTask(db, project, [{ file_path: "a", content: "new" }]);
  const refusalOf = (actor: { user: string }, execution_id = execution) =>
    db.refusal(actor, "revert_execution", { execution_id });
  for (const person of [project.viewer, await createAdmin(db)]) {
    assertEquals((await refusalOf(person.actor)).code, "forbidden");
  }
  const stranger = await refusalOf(project.stranger.actor);
  assertEquals(stranger.code, "execution_not_found");
  assertEquals(stranger, await refusalOf(project.stranger.actor, crypto.randomUUID()));
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals((await refusalOf(project.owner.actor)).code, "project_not_active");
});
