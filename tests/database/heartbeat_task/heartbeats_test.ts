// heartbeat_task: a worker keeps its lease, learns that its task was cancelled, or learns that the lease is lost.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  type Claimed,
  claimNode,
  createAdmin,
  createProject,
  expireLeases,
  graph,
  report,
  startExecution,
} from "../../support/factories.ts";

const db = await shareDatabase();

async function claimedTask(retry: Record<string, number> = {}) {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "c"], ["b", "c"]], { a: { retry } }));
  const { a, b } = await claimAll(db, execution.id);
  assert(a && b);
  return { project, execution, task: a, other: b };
}

const beat = (task: Claimed, lease_seconds?: number) => ({
  task_id: task.id,
  lease_token: task.lease_token,
  ...(lease_seconds === undefined ? {} : { lease_seconds }),
});

/** Seconds until the lease of a task ends. */
const secondsLeft = async (task: Claimed): Promise<number> =>
  (await db.sql`
    select extract(epoch from lease_expires_at - now())::float as left from public.agent_tasks where id = ${task.id}`)[
    0
  ]
    ?.left;

Deno.test("a heartbeat makes the lease last as long again as it asks for", async () => {
  const { task } = await claimedTask();
  const answer = await db.rpc("worker", "heartbeat_task", beat(task, 600));
  const left = await secondsLeft(task);
  assert(left > 590 && left <= 600, `${left} s`);
  assertEquals([answer.cancelled, Number.isNaN(Date.parse(answer.lease_expires_at))], [false, false]);
});

Deno.test("a heartbeat may shorten the lease", async () => {
  const { task } = await claimedTask();
  await db.rpc("worker", "heartbeat_task", beat(task, 5));
  assert(await secondsLeft(task) <= 5);
});

Deno.test("a heartbeat asks for a minute unless it says otherwise", async () => {
  const { task } = await claimedTask();
  await db.rpc("worker", "heartbeat_task", beat(task, 600));
  await db.rpc("worker", "heartbeat_task", beat(task));
  const left = await secondsLeft(task);
  assert(left > 50 && left <= 60, `${left} s`);
});

Deno.test("a lease that ran out but that nobody took can still be kept", async () => {
  const { execution, task } = await claimedTask();
  await expireLeases(db, execution.id);
  assertEquals((await db.rpc("worker", "heartbeat_task", beat(task))).cancelled, false);
  assert(await secondsLeft(task) > 0);
});

Deno.test("a worker learns at its heartbeat that the execution has ended", async () => {
  const { task, other } = await claimedTask({ max_attempts: 1 });
  await db.rpc("worker", "complete_task", report(task, { status: "failed" }));
  assertEquals(await db.rpc("worker", "heartbeat_task", beat(other)), { lease_expires_at: null, cancelled: true });
});

Deno.test("a worker whose task was claimed again gets task_lease_lost, and the new lease stays as it is", async () => {
  const { execution, task } = await claimedTask();
  await expireLeases(db, execution.id);
  const again = await claimNode(db, execution.id, "a");
  const before = await secondsLeft(again);
  const refusal = await db.refusal("worker", "heartbeat_task", beat(task, 6000));
  assertEquals([refusal.code, refusal.sqlstate, refusal.details], ["task_lease_lost", "PT409", { status: "running" }]);
  assert(await secondsLeft(again) <= before);
});

Deno.test("the token of another task is a lost lease", async () => {
  const { task, other } = await claimedTask();
  const refusal = await db.refusal("worker", "heartbeat_task", { ...beat(task), lease_token: other.lease_token });
  assertEquals(refusal.code, "task_lease_lost");
});

Deno.test("no token is a lost lease, also for a task that nobody holds", async () => {
  const { execution } = await claimedTask();
  const [row] = await db.sql`
    select id from public.agent_tasks where workflow_execution_id = ${execution.id} and node_id = 'c'`;
  const refusal = await db.refusal("worker", "heartbeat_task", { task_id: row?.id, lease_token: null });
  assertEquals(refusal.code, "task_lease_lost");
});

for (const [what, fields] of [["completed", {}], ["failed", { status: "failed" }]] as const) {
  Deno.test(`after the task was reported ${what}, a heartbeat is a lost lease`, async () => {
    const { task } = await claimedTask();
    await db.rpc("worker", "complete_task", report(task, fields));
    assertEquals((await db.refusal("worker", "heartbeat_task", beat(task))).code, "task_lease_lost");
  });
}

for (const lease_seconds of [0, 86_401, null]) {
  Deno.test(`a lease of ${lease_seconds} s is validation_failed`, async () => {
    const { task } = await claimedTask();
    const refusal = await db.refusal("worker", "heartbeat_task", { ...beat(task), lease_seconds });
    assertEquals(refusal.code, "validation_failed");
  });
}

Deno.test("an editor keeps a lease, a viewer and an admin get forbidden", async () => {
  const { project, task } = await claimedTask();
  assertEquals((await db.rpc(project.editor.actor, "heartbeat_task", beat(task))).cancelled, false);
  for (const person of [project.viewer, await createAdmin(db)]) {
    assertEquals((await db.refusal(person.actor, "heartbeat_task", beat(task))).code, "forbidden");
  }
});

Deno.test("a stranger cannot tell a task from one that does not exist", async () => {
  const { project, task } = await claimedTask();
  const real = await db.refusal(project.stranger.actor, "heartbeat_task", beat(task));
  const none = await db.refusal(project.stranger.actor, "heartbeat_task", {
    ...beat(task),
    task_id: crypto.randomUUID(),
  });
  assertEquals(real.code, "task_not_found");
  assertEquals(real, none);
});

Deno.test("someone without an account may not call it at all", async () => {
  const { task } = await claimedTask();
  assertEquals((await db.refusal("anon", "heartbeat_task", beat(task))).sqlstate, "42501");
});
