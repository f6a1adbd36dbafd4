// POST /complete-task/heartbeat over HTTP: keeping a lease, and learning that it is gone.
import { assert, assertEquals } from "@std/assert";
import { heartbeatTask } from "../../shared/contract/complete-task.ts";
import { worker } from "../support/actors.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimExpired, claimTask } from "./project.ts";

const team = testAccess({
  path: "complete-task/heartbeat",
  operation: heartbeatTask,
  body: async (project) => {
    const { id, lease_token } = await claimTask(project);
    return { task_id: id, lease_token };
  },
  stranger: "task_not_found",
  editor: "allowed",
});

const fresh = async () => await anotherProject(await team());
const beat = (task: { id: string; lease_token: string }, fields = {}) =>
  call("worker", "complete-task/heartbeat", { task_id: task.id, lease_token: task.lease_token, ...fields });

Deno.test("heartbeat_task: a heartbeat moves the end of the lease", async () => {
  const task = await claimTask(await fresh(), undefined, 5);
  const answer = assertAnswer(await beat(task, { lease_seconds: 600 }), heartbeatTask, 200);
  const moved = (Date.parse(answer.lease_expires_at) - Date.parse(task.lease_expires_at)) / 1000;
  assert(moved > 590 && moved < 610, `Expected about 595 s more: got ${moved}`);
  assertEquals(answer.cancelled, false);
});

Deno.test("heartbeat_task: a lease kept alive outlives its first end", async () => {
  // Long enough for the heartbeat to come before somebody else's claim takes back what has expired.
  const task = await claimTask(await fresh(), undefined, 4);
  await beat(task, { lease_seconds: 60 });
  await new Promise((resolve) => setTimeout(resolve, Date.parse(task.lease_expires_at) + 100 - Date.now()));
  const claimed = await call("worker", "complete-task/claim", {
    worker_id: "thief",
    agent_types: ["architect"],
    execution_id: task.execution_id,
  });
  assertEquals(claimed.body.tasks, []);
});

Deno.test("heartbeat_task: another token than the lease's is task_lease_lost", async () => {
  const task = await claimTask(await fresh());
  assertRefused(await beat({ ...task, lease_token: crypto.randomUUID() }), "task_lease_lost");
});

Deno.test("heartbeat_task: who lost the task to another worker is told task_lease_lost", async () => {
  const task = await claimTask(await fresh(), undefined, 1);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assertEquals((await claimExpired(task.execution_id)).id, task.id);
  assertRefused(await beat(task), "task_lease_lost");
});

Deno.test("heartbeat_task: a task already reported is task_lease_lost", async () => {
  const task = await claimTask(await fresh());
  await call("worker", "complete-task", { task_id: task.id, lease_token: task.lease_token, status: "completed" });
  const reply = await beat(task);
  assertRefused(reply, "task_lease_lost");
  assertEquals(reply.body.error.details.status, "completed");
});

Deno.test("heartbeat_task: a worker of a cancelled task is told to stop", async () => {
  // A sibling's last failed attempt ends the execution, and with it this task.
  const nodes = ["stopped", "failing"].map((id) => ({ id, agent_type: "architect", retry: { max_attempts: 1 } }));
  const project = await fresh();
  const task = await claimTask(project, { nodes, edges: [] });
  const { body: { tasks: [sibling] } } = await call("worker", "complete-task/claim", {
    worker_id: "worker-2",
    agent_types: ["architect"],
    execution_id: task.execution_id,
  });
  const failed = await call("worker", "complete-task", {
    task_id: sibling.id,
    lease_token: sibling.lease_token,
    status: "failed",
    error_message: "no way",
  });
  assertEquals(failed.body.execution.status, "failed");
  const answer = assertAnswer(await beat(task), heartbeatTask, 200);
  assertEquals(answer, { lease_expires_at: null, cancelled: true });
});

Deno.test("heartbeat_task: an unknown task is task_not_found, for a worker too", async () => {
  const { owner } = await team();
  const body = { task_id: crypto.randomUUID(), lease_token: crypto.randomUUID() };
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, "complete-task/heartbeat", body), "task_not_found");
  }
});

Deno.test("heartbeat_task: wrong fields are named one by one", async () => {
  const reply = await call("worker", "complete-task/heartbeat", { task_id: 1, lease_seconds: 86_401 });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), [
    "task_id",
    "lease_token",
    "lease_seconds",
  ]);
});

Deno.test("heartbeat_task: no client can read a lease token from the tables", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  for (const client of [project.owner.client, worker()]) {
    const { data } = await client.from("agent_tasks").select("*").eq("id", task.id);
    assert(!JSON.stringify(data ?? []).includes(task.lease_token), "The token stands in the row");
  }
});
