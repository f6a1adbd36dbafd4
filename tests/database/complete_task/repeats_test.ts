// complete_task: a report sent twice is answered twice, a different one is refused, a lost lease changes nothing.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  claimNode,
  createProject,
  expireLeases,
  graph,
  report,
  startExecution,
  statuses,
} from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const retryAtOnce = { a: { retry: { max_attempts: 2, backoff_seconds: 0 } } };

/** A running execution of `a → b`, with the task of `a` claimed. */
async function claimedTask(options = {}) {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]], options));
  return { project, execution, task: await claimNode(db, execution.id, "a") };
}

/** Everything a completion may change, to show that a refusal changed nothing. */
async function everything(execution_id: string) {
  const tasks = await db
    .sql`select * from public.agent_tasks where workflow_execution_id = ${execution_id} order by node_index`;
  const events = await db
    .sql`select id from public.execution_events where workflow_execution_id = ${execution_id} order by id`;
  const artifacts = await db.sql`select id from public.code_artifacts where task_id = any (${
    tasks.map((task) => task.id)
  })`;
  return { tasks: [...tasks], events: [...events], artifacts: [...artifacts] };
}

Deno.test("the same completion sent twice gives the same answer and changes nothing", async () => {
  const { execution, task } = await claimedTask();
  const request = report(task, { output_data: { n: 1 }, artifacts: [{ file_path: "a.txt", content: "a" }] });
  const first = await db.rpc("worker", "complete_task", request);
  const before = await everything(execution.id);
  assertEquals(await db.rpc("worker", "complete_task", request), first);
  assertEquals(await everything(execution.id), before);
});

Deno.test("the same completion sent twice names the unlocked tasks in the same order", async () => {
  const project = await createProject(db);
  const targets = Array.from({ length: 10 }, (_, index): [string, string] => ["a", `t${index}`]);
  const { execution } = await startExecution(db, project, graph(targets));
  const request = report(await claimNode(db, execution.id, "a"));
  const names = (answer: { unlocked: { node_id: string }[] }) => answer.unlocked.map((task) => task.node_id);
  const first = await db.rpc("worker", "complete_task", request);
  assertEquals(names(first), targets.map(([, target]) => target));
  assertEquals(names(await db.rpc("worker", "complete_task", request)), names(first));
});

Deno.test("two copies of one completion that arrive together are both answered, and count once", async () => {
  const { execution, task } = await claimedTask();
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  const answer = await first.rpc("complete_task", report(task));
  const repeated = second.rpc("complete_task", report(task));
  await waitUntilBlocked(db, second);
  await first.commit();
  assertEquals(await repeated, answer);
  await second.commit();
  assertEquals(await statuses(db, execution.id), { a: "completed", b: "pending" });
});

Deno.test("a failure sent twice before the next attempt counts as one attempt", async () => {
  const { execution, task } = await claimedTask(retryAtOnce);
  const request = report(task, { status: "failed", error_message: "no" });
  const first = await db.rpc("worker", "complete_task", request);
  assertEquals(await db.rpc("worker", "complete_task", request), first);
  assertEquals((await claimNode(db, execution.id, "a")).attempt, 2);
});

Deno.test("the same completion is answered again after the execution has ended", async () => {
  const { execution, task } = await claimedTask();
  const request = report(task);
  const first = await db.rpc("worker", "complete_task", request);
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "b")));
  const again = await db.rpc("worker", "complete_task", request);
  assertEquals(again.task, first.task);
  assertEquals(again.execution.status, "completed");
});

Deno.test("a final failure is answered again after it ended the execution", async () => {
  const { task } = await claimedTask({ a: { retry: { max_attempts: 1 } } });
  const request = report(task, { status: "failed", error_message: "no" });
  const first = await db.rpc("worker", "complete_task", request);
  assertEquals(await db.rpc("worker", "complete_task", request), first);
});

const differences: [string, Record<string, unknown>][] = [
  ["another output", { output_data: { n: 2 } }],
  ["another status", { status: "failed", output_data: { n: 1 } }],
  ["another label", { output_data: { n: 1 }, label: "other" }],
  ["other artifacts", { output_data: { n: 1 }, artifacts: [{ file_path: "b.txt", content: "b" }] }],
];
for (const [what, fields] of differences) {
  Deno.test(`a second report with ${what} is refused as task_already_reported and changes nothing`, async () => {
    const { execution, task } = await claimedTask();
    await db.rpc("worker", "complete_task", report(task, { output_data: { n: 1 } }));
    const before = await everything(execution.id);
    const refusal = await db.refusal("worker", "complete_task", report(task, fields));
    assertEquals([refusal.code, refusal.sqlstate, refusal.details], [
      "task_already_reported",
      "PT409",
      { status: "completed" },
    ]);
    assertEquals(await everything(execution.id), before);
  });
}

Deno.test("a worker whose task was claimed again gets task_lease_lost and changes nothing", async () => {
  const { execution, task } = await claimedTask();
  await expireLeases(db, execution.id);
  await claimNode(db, execution.id, "a");
  const before = await everything(execution.id);
  const stale = report(task, { output_data: { n: 1 }, artifacts: [{ file_path: "stale.txt", content: "stale" }] });
  const refusal = await db.refusal("worker", "complete_task", stale);
  assertEquals([refusal.code, refusal.sqlstate, refusal.details], ["task_lease_lost", "PT409", { status: "running" }]);
  assertEquals(await everything(execution.id), before);
});

Deno.test("a failure reported before and sent again after the next claim is a lost lease", async () => {
  const { execution, task } = await claimedTask(retryAtOnce);
  const request = report(task, { status: "failed" });
  await db.rpc("worker", "complete_task", request);
  await claimNode(db, execution.id, "a");
  assertEquals((await db.refusal("worker", "complete_task", request)).code, "task_lease_lost");
});

Deno.test("a worker that is late but whose task nobody took may still complete it", async () => {
  const { execution, task } = await claimedTask();
  await expireLeases(db, execution.id);
  assertEquals((await db.rpc("worker", "complete_task", report(task))).task.status, "completed");
});

for (const lease_token of [crypto.randomUUID(), null]) {
  Deno.test(`a report with ${lease_token ? "a made-up" : "no"} token is a lost lease`, async () => {
    const { task } = await claimedTask();
    const refusal = await db.refusal("worker", "complete_task", { ...report(task), lease_token });
    assertEquals(refusal.code, "task_lease_lost");
  });
}

Deno.test("the token of one task opens no other", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "c"], ["b", "c"]]));
  const { a, b } = await claimAll(db, execution.id);
  const refusal = await db.refusal("worker", "complete_task", { ...report(a), lease_token: b?.lease_token });
  assertEquals(refusal.code, "task_lease_lost");
});

Deno.test("a task of an execution that failed meanwhile cannot be completed any more", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(
    db,
    project,
    graph([["a", "c"], ["b", "c"]], { a: { retry: { max_attempts: 1 } } }),
  );
  const { a, b } = await claimAll(db, execution.id);
  await db.rpc("worker", "complete_task", report(a, { status: "failed" }));
  const refusal = await db.refusal("worker", "complete_task", report(b));
  assertEquals([refusal.code, refusal.details], ["task_lease_lost", { status: "cancelled" }]);
});

Deno.test("a report that waited while its workflow was deleted finds no task", async () => {
  const { project, execution, task } = await claimedTask();
  await using first = await openTransaction(db, project.owner.actor);
  await using second = await openTransaction(db, "worker");
  await first.rpc("cancel_execution", { execution_id: execution.id });
  const pending = second.rpc("complete_task", report(task)).catch((error) => [error.hint, error.message]);
  await waitUntilBlocked(db, second, pending);
  await first.sql`delete from public.workflows where id = ${execution.workflow_id}`;
  await first.commit();
  assertEquals(await pending, ["task_not_found", "There is no such task any more."]);
});

Deno.test("whoever sees the digest of a report cannot tell by it what they guess the report said", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "e"], ["b", "e"], ["c", "e"], ["d", "e"]]));
  const [alone, beside, ...together] = Object.values(await claimAll(db, execution.id));
  for (const task of [alone!, beside!]) await db.rpc("worker", "complete_task", report(task));
  await db.rpc("worker", "complete_tasks", { results: together.map((task) => report(task)) });
  const rows = await db.as(project.viewer.actor, (tx) =>
    tx`select report_digest from public.agent_tasks
      where workflow_execution_id = ${execution.id} and status = 'completed'`);
  assertEquals([rows.length, new Set(rows.map((row) => row.report_digest)).size], [4, 4]);
});
