// POST /complete-task/decide over HTTP: a person approves or rejects.
import { assertEquals } from "@std/assert";
import { decideTask } from "../../shared/contract/complete-task.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, type Project, startExecution, taskOf } from "./project.ts";

const path = "complete-task/decide";

/** The id of an approval that waits. */
async function waiting(project: Project, fields = {}): Promise<string> {
  const definition = graph([["review", "ship"]], { review: { type: "approval", ...fields } });
  return (await startExecution(project, definition)).tasks[0].id;
}

const team = testAccess({
  path,
  operation: decideTask,
  body: async (project) => ({ task_id: await waiting(project), decision: "approved" }),
  stranger: "task_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("decide_task: an approval completes the task and sets going what it leads to", async () => {
  const project = await fresh();
  const task_id = await waiting(project);
  const reply = await call(project.editor, path, { task_id, decision: "approved", comment: "Well done." });
  const { task, execution, unlocked } = assertAnswer(reply, decideTask, 200);
  assertEquals([task.status, task.label, execution.status], ["completed", "approved", "running"]);
  assertEquals(unlocked.map((one: Body) => one.node_id), ["ship"]);
  const { output_data } = await taskOf(project, execution.id, "review");
  assertEquals([output_data.review.decided_by, output_data.review.comment], [project.editor.id, "Well done."]);
});

Deno.test("decide_task: a rejection leaves out what needs an approval", async () => {
  const project = await fresh();
  const reply = await call(project.editor, path, { task_id: await waiting(project), decision: "rejected" });
  const { task, execution } = assertAnswer(reply, decideTask, 200);
  assertEquals([task.label, execution.status], ["rejected", "completed"]);
});

Deno.test("decide_task: what needs an owner is forbidden to an editor", async () => {
  const project = await fresh();
  const body = { task_id: await waiting(project, { role: "owner" }), decision: "approved" };
  assertRefused(await call(project.editor, path, body), "forbidden");
  assertEquals((await call(project.owner, path, body)).status, 200);
});

Deno.test("decide_task: another decision than one's first is already_decided", async () => {
  const project = await fresh();
  const task_id = await waiting(project, { approvals: 2 });
  await call(project.editor, path, { task_id, decision: "approved" });
  assertRefused(await call(project.editor, path, { task_id, decision: "rejected" }), "already_decided");
});

Deno.test("decide_task: what was decided by others, or is no approval, is task_not_waiting", async () => {
  const project = await fresh();
  const task_id = await waiting(project);
  await call(project.editor, path, { task_id, decision: "approved" });
  assertRefused(await call(project.owner, path, { task_id, decision: "approved" }), "task_not_waiting");
  const { tasks: [task] } = await startExecution(project);
  assertRefused(await call(project.owner, path, { task_id: task.id, decision: "approved" }), "task_not_waiting");
});

Deno.test("decide_task: a decision whose outcome is too large an input is payload_too_large, and waits on", async () => {
  const project = await fresh();
  const half = "x".repeat(600_000);
  const definition = graph([["review", "ship"], ["other", "ship"]], {
    review: { type: "approval" },
    ship: { input: { one: "$.text", two: "$.text" } },
  });
  const workflow = await startExecution(project, definition);
  const claim = await call("worker", "complete-task/claim", {
    worker_id: "w",
    agent_types: ["architect"],
    execution_id: workflow.execution.id,
  });
  const [{ id, lease_token }] = claim.body.tasks;
  const report = { task_id: id, lease_token, status: "completed", output_data: { text: half } };
  assertEquals((await call("worker", "complete-task", report)).status, 200);
  const task_id = (await taskOf(project, workflow.execution.id, "review")).id;
  assertRefused(await call(project.owner, path, { task_id, decision: "approved" }), "payload_too_large");
  assertEquals((await taskOf(project, workflow.execution.id, "review")).status, "waiting");
});

Deno.test("decide_task: a worker is told that only a person decides", async () => {
  const project = await fresh();
  const reply = await call("worker", path, { task_id: await waiting(project), decision: "approved" });
  assertRefused(reply, "unauthorized");
  assertEquals(
    reply.body.error.message,
    "Only a person can do this: send a valid user token as Authorization: Bearer.",
  );
});

Deno.test("decide_task: an unknown task is task_not_found", async () => {
  const { owner } = await team();
  const body = { task_id: crypto.randomUUID(), decision: "approved" };
  assertRefused(await call(owner, path, body), "task_not_found");
});

Deno.test("decide_task: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, path, { task_id: "x", decision: "maybe", comment: "x".repeat(10_001) });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["task_id", "decision", "comment"]);
});
