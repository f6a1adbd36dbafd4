// POST /start-workflow/publish over HTTP: a draft becomes a version, or every fault is named.
import { assertEquals } from "@std/assert";
import { publishWorkflow } from "../../shared/contract/start-workflow.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, createWorkflow } from "./project.ts";

const path = "start-workflow/publish";
const team = testAccess({
  path,
  operation: publishWorkflow,
  body: async (project) => ({ workflow_id: await createWorkflow(project) }),
  stranger: "workflow_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("publish_workflow: each publish answers 201 with the next version", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project);
  for (const version of [1, 2]) {
    const answer = assertAnswer(await call(project.editor, path, { workflow_id }), publishWorkflow, 201);
    assertEquals(answer, { version, warnings: [] });
  }
});

Deno.test("publish_workflow: what an import could not know comes back as warnings with their places", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project, {
    nodes: [{ id: "__start__", type: "schema" }, { id: "tester", type: "runnable", data: {} }],
    edges: [
      { source: "__start__", target: "tester", conditional: false },
      { source: "tester", target: "tester", conditional: true },
    ],
  });
  const { warnings } = assertAnswer(await call(project.editor, path, { workflow_id }), publishWorkflow, 201);
  assertEquals(warnings.map((warning: Body) => [warning.code, warning.node ?? warning.edge]), [
    ["agent_type_guessed", "tester"],
    ["unlabelled_conditional", "tester → tester"],
    ["loop_bound_guessed", "tester → tester"],
  ]);
});

Deno.test("publish_workflow: every fault is named at once, and nothing is published", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project, graph([["a", "b"], ["b", "b"]], { a: { agent_type: "nobody" } }));
  const reply = await call(project.editor, path, { workflow_id });
  assertRefused(reply, "workflow_invalid");
  const faults = reply.body.error.details.faults.map((fault: Body) => [fault.code, fault.node]);
  assertEquals(faults, [["unknown_agent_type", "a"], ["cycle_without_loop", "b"]]);
  const { data } = await project.owner.client.from("workflow_versions").select("id").eq("workflow_id", workflow_id);
  assertEquals(data, []);
});

Deno.test("publish_workflow: an unknown workflow is workflow_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, path, { workflow_id: crypto.randomUUID() }), "workflow_not_found");
  }
});

Deno.test("publish_workflow: a workflow_id that is none is named", async () => {
  const { owner } = await team();
  const reply = await call(owner, path, { workflow_id: "x" });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["workflow_id"]);
});
