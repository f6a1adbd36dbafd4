// POST /start-workflow/roll-back over HTTP: an older version is current again, as a new one.
import { assertEquals } from "@std/assert";
import { rollBackWorkflow } from "../../shared/contract/start-workflow.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, createWorkflow, type Project } from "./project.ts";

const path = "start-workflow/roll-back";

async function published(project: Project, definition?: unknown): Promise<string> {
  const workflow_id = await createWorkflow(project, definition);
  await call(project.owner, "start-workflow/publish", { workflow_id });
  return workflow_id;
}

const team = testAccess({
  path,
  operation: rollBackWorkflow,
  body: async (project) => ({ workflow_id: await published(project), to_version: 1 }),
  stranger: "workflow_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("roll_back_workflow: the answer is 201 with the new version, which is current", async () => {
  const project = await fresh();
  const workflow_id = await published(project);
  await call(project.editor, "start-workflow/publish", { workflow_id });
  const reply = await call(project.editor, path, { workflow_id, to_version: 1 });
  assertEquals(assertAnswer(reply, rollBackWorkflow, 201), { version: 3 });
  const started = await call(project.editor, "start-workflow", { workflow_id });
  assertEquals(started.body.execution.version, 3);
});

Deno.test("roll_back_workflow: a version that was never published is workflow_version_not_found", async () => {
  const project = await fresh();
  const workflow_id = await published(project);
  assertRefused(await call(project.editor, path, { workflow_id, to_version: 2 }), "workflow_version_not_found");
});

Deno.test("roll_back_workflow: a version that can no longer run is workflow_invalid", async () => {
  const project = await fresh();
  await project.owner.client.from("agent_types").insert({ project_id: project.id, name: "potter" });
  const workflow_id = await published(project, { nodes: [{ id: "a", agent_type: "potter" }], edges: [] });
  await project.owner.client.from("agent_types").delete().eq("project_id", project.id);
  const reply = await call(project.editor, path, { workflow_id, to_version: 1 });
  assertRefused(reply, "workflow_invalid");
  assertEquals(reply.body.error.details.faults.map((fault: Body) => fault.code), ["unknown_agent_type"]);
});

Deno.test("roll_back_workflow: an unknown workflow is workflow_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    const reply = await call(sender, path, { workflow_id: crypto.randomUUID(), to_version: 1 });
    assertRefused(reply, "workflow_not_found");
  }
});

Deno.test("roll_back_workflow: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, path, { workflow_id: "x", to_version: 0 });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["workflow_id", "to_version"]);
});
