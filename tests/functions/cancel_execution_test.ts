// POST /start-workflow/cancel over HTTP: an execution ends, and its workers learn it.
import { assertEquals } from "@std/assert";
import { cancelExecution } from "../../shared/contract/start-workflow.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimTask, failedExecution, reportTask, startExecution } from "./project.ts";

const path = "start-workflow/cancel";
const team = testAccess({
  path,
  operation: cancelExecution,
  body: async (project) => ({ execution_id: (await startExecution(project)).execution.id }),
  stranger: "execution_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("cancel_execution: the execution is cancelled, with the reason, and again alike", async () => {
  const project = await fresh();
  const { execution: { id: execution_id } } = await startExecution(project);
  const reply = await call(project.editor, path, { execution_id, reason: "Not needed." });
  const { execution } = assertAnswer(reply, cancelExecution, 200);
  assertEquals([execution.status, execution.error_message], ["cancelled", "Not needed."]);
  assertEquals((await call(project.editor, path, { execution_id })).body, reply.body);
});

Deno.test("cancel_execution: a worker at work is told to stop, and its report is refused", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  await call(project.owner, path, { execution_id: task.execution_id });
  const lease = { task_id: task.id, lease_token: task.lease_token };
  assertEquals((await call("worker", "complete-task/heartbeat", lease)).body.cancelled, true);
  assertRefused(await reportTask(task), "task_lease_lost");
});

Deno.test("cancel_execution: one that has ended otherwise is execution_not_running", async () => {
  const project = await fresh();
  const reply = await call(project.owner, path, { execution_id: await failedExecution(project) });
  assertRefused(reply, "execution_not_running");
  assertEquals(reply.body.error.details.status, "failed");
});

Deno.test("cancel_execution: an unknown execution is execution_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, path, { execution_id: crypto.randomUUID() }), "execution_not_found");
  }
});

Deno.test("cancel_execution: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, path, { execution_id: "x", reason: "x".repeat(10_001) });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["execution_id", "reason"]);
});
