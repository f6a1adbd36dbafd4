// POST /start-workflow/fork over HTTP: another try from a node on.
import { assertEquals } from "@std/assert";
import { forkExecution } from "../../shared/contract/start-workflow.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimTask, reportTask, startExecution } from "./project.ts";

const path = "start-workflow/fork";
const team = testAccess({
  path,
  operation: forkExecution,
  body: async (project) => ({ execution_id: (await startExecution(project)).execution.id, from_node: "second" }),
  stranger: "execution_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("fork_execution: the answer is 201 with the new execution and its tasks, the finished ones kept", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  await reportTask(task, { output_data: { plan: 1 } });
  const reply = await call(project.editor, path, {
    execution_id: task.execution_id,
    from_node: "second",
    input: { tone: "calm" },
  });
  const { execution, tasks } = assertAnswer(reply, forkExecution, 201);
  assertEquals([execution.forked_from, execution.status, execution.started_by], [
    task.execution_id,
    "running",
    project.editor.id,
  ]);
  assertEquals(tasks.map((one: Body) => [one.node_id, one.status]), [["first", "completed"], ["second", "pending"]]);
});

Deno.test("fork_execution: a node that there is not is node_not_found", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  const reply = await call(project.editor, path, { execution_id: execution.id, from_node: "third" });
  assertRefused(reply, "node_not_found");
});

Deno.test("fork_execution: an input over 1 MiB is payload_too_large", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  const input = { text: "x".repeat(1_048_576) };
  const reply = await call(project.editor, path, { execution_id: execution.id, from_node: "first", input });
  assertRefused(reply, "payload_too_large");
});

Deno.test("fork_execution: an unknown execution is execution_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    const reply = await call(sender, path, { execution_id: crypto.randomUUID(), from_node: "first" });
    assertRefused(reply, "execution_not_found");
  }
});

Deno.test("fork_execution: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, path, { execution_id: "x", from_node: "", input: [] });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), [
    "execution_id",
    "from_node",
    "input",
  ]);
});
