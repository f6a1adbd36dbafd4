// POST /complete-task/release over HTTP: a lease is given back unused.
import { assertEquals } from "@std/assert";
import { releaseTask } from "../../shared/contract/complete-task.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimTask, reportTask } from "./project.ts";

const path = "complete-task/release";
const leaseOf = ({ id, lease_token }: Body) => ({ task_id: id, lease_token });
const team = testAccess({
  path,
  operation: releaseTask,
  body: async (project) => leaseOf(await claimTask(project)),
  stranger: "task_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("release_task: the task is pending at once, and the attempt does not count", async () => {
  const task = await claimTask(await fresh());
  const answer = assertAnswer(await call("worker", path, leaseOf(task)), releaseTask, 200);
  assertEquals([answer.task.id, answer.task.status, answer.task.attempt], [task.id, "pending", 0]);
});

Deno.test("release_task: a lease that is over, or another's, is task_lease_lost", async () => {
  const task = await claimTask(await fresh());
  assertRefused(await call("worker", path, { ...leaseOf(task), lease_token: crypto.randomUUID() }), "task_lease_lost");
  await reportTask(task);
  assertRefused(await call("worker", path, leaseOf(task)), "task_lease_lost");
});

Deno.test("release_task: an unknown task is task_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    const reply = await call(sender, path, { task_id: crypto.randomUUID(), lease_token: crypto.randomUUID() });
    assertRefused(reply, "task_not_found");
  }
});

Deno.test("release_task: wrong fields are named one by one", async () => {
  const reply = await call("worker", path, { task_id: 1 });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["task_id", "lease_token"]);
});
