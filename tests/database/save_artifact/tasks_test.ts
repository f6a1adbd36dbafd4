// save_artifact and delete_artifact for a task: only while it is under way, so that nothing changes the past of a run.
import { assertEquals } from "@std/assert";
import { remove, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createProject,
  expireLeases,
  graph,
  type Project,
  report,
  startExecution,
} from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function claimed() {
  const project = await createProject(db);
  const { execution, tasks } = await startExecution(db, project, graph([["a", "b"]]));
  const task = await claimNode(db, execution.id, "a");
  const next: string = tasks.find((each: { node_id: string }) => each.node_id === "b").id;
  return { project, execution: execution.id as string, task, next };
}
const refusal = (project: Project, fields: Record<string, unknown>, door = "save_artifact") =>
  db.refusal("worker", door, {
    project_id: project.id,
    file_path: "a",
    ...door === "save_artifact" ? { content: "late" } : {},
    ...fields,
  });

Deno.test("an editor saves for a task that somebody else's worker runs", async () => {
  const { project, task } = await claimed();
  const saved = await save(db, project, "a", "text", { task_id: task.id });
  assertEquals([saved.task_id, saved.created_by], [task.id, project.editor.id]);
});

Deno.test("an editor saves for an approval that waits for people", async () => {
  const project = await createProject(db);
  const { tasks: [review] } = await startExecution(
    db,
    project,
    graph([["review", "__end__"]], { review: { type: "approval" } }),
  );
  assertEquals((await save(db, project, "a", "text", { task_id: review.id })).task_id, review.id);
});

const endings: [string, (run: Awaited<ReturnType<typeof claimed>>) => Promise<unknown>, string][] = [
  ["is complete", ({ task }) => db.rpc("worker", "complete_task", report(task)), "completed"],
  [
    "was cancelled",
    ({ project, execution }) => db.rpc(project.owner.actor, "cancel_execution", { execution_id: execution }),
    "cancelled",
  ],
];
for (const [what, end, status] of endings) {
  for (const door of ["save_artifact", "delete_artifact"]) {
    Deno.test(`${door} is refused for a task that ${what}`, async () => {
      const run = await claimed();
      await save(db, run.project, "a", "before");
      await end(run);
      const { code, details } = await refusal(run.project, { task_id: run.task.id }, door);
      assertEquals([code, details], ["task_lease_lost", { status }]);
    });
  }
}

Deno.test("a save is refused for a task that has not begun", async () => {
  const { project, next } = await claimed();
  assertEquals((await refusal(project, { task_id: next })).code, "task_lease_lost");
});

Deno.test("a save under the task's lease is taken, and a deletion too", async () => {
  const { project, task: { id: task_id, lease_token } } = await claimed();
  await save(db, project, "a", "text", { by: "worker", task_id, lease_token });
  const args = { project_id: project.id, file_path: "a", task_id, lease_token };
  assertEquals((await db.rpc("worker", "delete_artifact", args)).artifact.task_id, task_id);
});

Deno.test("a worker whose task is another's by now is refused, and changes nothing", async () => {
  const { project, execution, task } = await claimed();
  await save(db, project, "a", "before");
  await expireLeases(db, execution);
  await db.sql`update public.agent_tasks set available_at = now() where id = ${task.id}`;
  const again = await claimNode(db, execution, "a");
  for (const door of ["save_artifact", "delete_artifact"]) {
    const refused = await refusal(project, { task_id: again.id, lease_token: task.lease_token }, door);
    assertEquals(refused.code, "task_lease_lost");
  }
  assertEquals((await save(db, project, "a", "before")).version, 1);
});

Deno.test("a lease token without its task is validation_failed", async () => {
  const { project, task } = await claimed();
  assertEquals((await refusal(project, { lease_token: task.lease_token })).code, "validation_failed");
});

Deno.test("a task does not end while a save for it is still open, so no run gets a file after its end", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "__end__"]]));
  const task = await claimNode(db, execution.id, "a");
  await using saver = await openTransaction(db, project.editor.actor);
  await using worker = await openTransaction(db, "worker");
  await saver.rpc("save_artifact", { project_id: project.id, file_path: "a", content: "text", task_id: task.id });
  const completion = worker.rpc("complete_task", report(task)).then(worker.commit);
  await waitUntilBlocked(db, worker);
  await saver.commit();
  await completion;
});

Deno.test("a save that waited for its turn is refused when the task has ended meanwhile", async () => {
  const { project, task } = await claimed();
  await using worker = await openTransaction(db, "worker");
  await using saver = await openTransaction(db, project.editor.actor);
  await worker.rpc("complete_task", report(task, { artifacts: [{ file_path: "a", content: "last" }] }));
  const saving = saver.rpc("save_artifact", {
    project_id: project.id,
    file_path: "a",
    content: "late",
    task_id: task.id,
  }).then(() => "saved", (error) => error.hint);
  await waitUntilBlocked(db, saver);
  await worker.commit();
  assertEquals(await saving, "task_lease_lost");
});

Deno.test("what an ended run wrote, and its moment, are not changed by who saves and deletes later", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "__end__"]]));
  const task = await claimNode(db, execution.id, "a");
  await db.rpc("worker", "complete_task", report(task, { artifacts: [{ file_path: "a", content: "by the run" }] }));
  const ask = () =>
    db.rpc(project.viewer.actor, "artifact_snapshot", { project_id: project.id, execution_id: execution.id });
  const before = await ask();
  await save(db, project, "b", "later");
  await remove(db, project, "a");
  await refusal(project, { file_path: "c", task_id: task.id });
  assertEquals(
    (await ask()).files.map((each: { id: string }) => each.id),
    before.files.map((each: { id: string }) => each.id),
  );
});
