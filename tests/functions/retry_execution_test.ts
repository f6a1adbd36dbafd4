// POST /start-workflow/retry over HTTP: a failed execution goes on.
import { assertEquals } from "@std/assert";
import { retryExecution } from "../../shared/contract/start-workflow.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, failedExecution, reportTask, startExecution } from "./project.ts";

const path = "start-workflow/retry";
const team = testAccess({
  path,
  operation: retryExecution,
  body: async (project) => ({ execution_id: await failedExecution(project) }),
  stranger: "execution_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("retry_execution: the execution runs again and can be completed", async () => {
  const project = await fresh();
  const execution_id = await failedExecution(project);
  const { execution } = assertAnswer(
    await call(project.editor, path, { execution_id, reason: "The key was missing." }),
    retryExecution,
    200,
  );
  assertEquals([execution.status, execution.error_message], ["running", null]);
  const { body: { tasks: [task] } } = await call("worker", "complete-task/claim", {
    worker_id: "w",
    agent_types: ["architect"],
    execution_id,
  });
  assertEquals((await reportTask(task)).body.execution.status, "completed");
});

Deno.test("retry_execution: one that has not failed is execution_not_failed", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  const reply = await call(project.editor, path, { execution_id: execution.id });
  assertRefused(reply, "execution_not_failed");
  assertEquals(reply.body.error.details.status, "running");
});

Deno.test("retry_execution: an unknown execution is execution_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, path, { execution_id: crypto.randomUUID() }), "execution_not_found");
  }
});

Deno.test("retry_execution: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, path, { execution_id: "x", reason: 1 });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["execution_id", "reason"]);
});
