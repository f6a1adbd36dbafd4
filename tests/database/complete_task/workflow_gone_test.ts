// A workflow is deleted while an execution of it runs inside another.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph, type Project } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

async function publish(project: Project, definition: unknown): Promise<string> {
  const workflow_id = await createWorkflow(db, project, definition);
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  return workflow_id;
}

const around = (workflow_id: string, fields: Record<string, unknown> = {}) =>
  graph([["sub", "after"]], { sub: { type: "workflow", workflow_id, ...fields } });

/** An execution that waits for one of a workflow that may be deleted. */
async function waiting(fields: Record<string, unknown> = {}) {
  const project = await createProject(db);
  const inner = await publish(project, graph([["x", "y"]]));
  const run = await startRun(db, around(inner, fields), {}, project);
  return { project, inner, run, outer: (await run.execution()).workflow_id as string };
}

const remove = (project: Project, ...ids: string[]) =>
  db.as(project.owner.actor, async (tx) => {
    await tx`set local lock_timeout = '5s'`;
    await tx`delete from public.workflows where id = any (${ids}::uuid[])`;
  });

/** How many rows of the project's executions are left, and of their logs. */
async function left(project: Project): Promise<number[]> {
  const [row] = await db.sql`
    select
      (select count(*)::integer from public.workflow_executions where project_id = ${project.id}) as executions,
      (select count(*)::integer from public.execution_events where project_id = ${project.id}) as events`;
  return [row?.executions, row?.events];
}

const told = async (run: Run) => (await run.events()).map(({ type, task }) => task ? `${type} ${task}` : type);

Deno.test("the task that waits for it fails as if the workflow had been gone before, and its execution with it", async () => {
  const { project, inner, run } = await waiting();
  await remove(project, inner);
  assertEquals(await run.statuses(), { sub: "failed", after: "cancelled" });
  const { status, error_message } = await run.execution();
  assertEquals([status, error_message], ["failed", "Task sub failed: The workflow of sub is gone."]);
});

Deno.test("it is told in the log of the execution around it", async () => {
  const { project, inner, run } = await waiting();
  await remove(project, inner);
  assertEquals((await told(run)).slice(-2), ["task.failed sub", "execution.failed"]);
});

for (const [on_failure, statuses] of [["skip", ["skipped", "skipped"]], ["continue", ["failed", "pending"]]] as const) {
  Deno.test(`its node's on_failure is asked: ${on_failure}`, async () => {
    const { project, inner, run } = await waiting({ on_failure });
    await remove(project, inner);
    assertEquals(Object.values(await run.statuses()), [...statuses]);
  });
}

Deno.test("what had ended inside changes nothing when its workflow goes", async () => {
  const { project, inner, run } = await waiting();
  const { tasks } = await db.rpc("worker", "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    project_id: project.id,
  });
  for (const task of tasks) await db.rpc("worker", "release_task", { task_id: task.id, lease_token: task.lease_token });
  const [child] = await db.sql`
    select x.id from public.workflow_executions as x join public.agent_tasks as t on t.id = x.parent_task_id
    where t.workflow_execution_id = ${run.id}`;
  await db.rpc(project.owner.actor, "cancel_execution", { execution_id: child?.id });
  const before = await run.events();
  await remove(project, inner);
  assertEquals(await run.events(), before);
});

Deno.test("a retry says again that the workflow is gone", async () => {
  const { project, inner, run } = await waiting();
  await remove(project, inner);
  await db.rpc(project.owner.actor, "retry_execution", { execution_id: run.id });
  assertEquals([await run.status(), (await run.statuses()).sub], ["failed", "failed"]);
});

Deno.test("with the workflow around it nothing is left, of both in one statement either", async () => {
  const alone = await waiting();
  await remove(alone.project, alone.outer);
  assertEquals(await left(alone.project), [0, 0]);
  const both = await waiting();
  await remove(both.project, both.inner, both.outer);
  assertEquals(await left(both.project), [0, 0]);
});

Deno.test("of three inside each other the innermost and the outermost can go in one statement", async () => {
  const { project, inner, run: _, outer } = await waiting();
  const top = await startRun(db, around(outer), {}, project);
  await remove(project, inner, (await top.execution()).workflow_id as string);
  const [own] = await db.sql`
    select status from public.workflow_executions where project_id = ${project.id}`;
  assertEquals([own?.status, (await left(project))[0]], ["failed", 1]);
});

Deno.test("a project goes with all that runs inside each other in it", async () => {
  const { project } = await waiting();
  await db.sql`delete from public.projects where id = ${project.id}`;
  assertEquals(await left(project), [0, 0]);
});

Deno.test("a deletion that meets a report in there is refused instead of waiting, and can be tried again", async () => {
  const { project, inner, run } = await waiting({ on_failure: "skip" });
  await using other = await openTransaction(db, "worker");
  const { tasks: [x] } = await other.rpc("claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    project_id: project.id,
  });
  await other.rpc("complete_task", { task_id: x.id, lease_token: x.lease_token, status: "completed" });
  assertEquals((await refused(remove(project, inner))).sqlstate, "55P03");
  await other.commit();
  await remove(project, inner);
  assertEquals((await run.statuses()).sub, "skipped");
});

Deno.test("one deletion takes the locks of a hundred executions around, and is refused where there are more", async () => {
  const project = await createProject(db);
  const inner = await publish(project, graph([["x", "y"]]));
  const other = await publish(project, graph([["x", "y"]]));
  const outer = await publish(project, around(inner));
  const start = (workflow_id: string) => db.rpc(project.owner.actor, "start_workflow", { workflow_id });
  for (let started = 0; started < 100; started++) await start(outer);
  await start(await publish(project, around(other)));
  assertEquals((await refused(remove(project, inner, other))).code, "execution_still_running");
  await remove(project, inner);
  await remove(project, other);
});
