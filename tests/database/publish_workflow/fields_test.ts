// publish_workflow: fields that nothing reads.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);

async function warningsOf(definition: unknown): Promise<unknown> {
  const workflow_id = await createWorkflow(db, project, definition);
  return (await db.rpc(project.editor.actor, "publish_workflow", { workflow_id })).warnings;
}

Deno.test("a field that is nearly one of the graph's is ignored with a warning that names both", async () => {
  const definition = {
    concurrencyLimit: 3,
    nodes: [
      { id: "a", agent_type: "architect", onFailure: "skip", retry: { maxAttempts: 2 } },
      { id: "b", agent_type: "tester", "Time-out_Seconds": 5 },
    ],
    edges: [
      { source: "a", target: "b", When: "$.a == 1" },
      { source: "b", target: "a", loop: { max_iterations: 2, onExhausted: "fail" } },
    ],
  };
  const code = "field_ignored";
  assertEquals(await warningsOf(definition), [
    { code, message: "The definition: the field concurrencyLimit is ignored; concurrency_limit is meant?" },
    { code, node: "a", message: "Node a: the field onFailure is ignored; on_failure is meant?" },
    { code, node: "b", message: "Node b: the field Time-out_Seconds is ignored; timeout_seconds is meant?" },
    { code, node: "a", message: "Node a, retry: the field maxAttempts is ignored; max_attempts is meant?" },
    { code, edge: "a → b", message: "Edge a → b: the field When is ignored; when is meant?" },
    { code, edge: "b → a", message: "Edge b → a: the field onExhausted is ignored; on_exhausted is meant?" },
  ]);
});

Deno.test("fields of an editor's own, and those written both ways, are no matter", async () => {
  const definition = {
    viewport: { zoom: 1 },
    nodes: [{
      id: "a",
      agent_type: "architect",
      position: { x: 1, y: 2 },
      selected: true,
      label: "A",
      agentType: "architect",
      metadata: { note: "mine" },
    }],
    edges: [{ id: "e1", source: "__start__", target: "a", animated: true, sourceHandle: null }],
  };
  assertEquals(await warningsOf(definition), []);
});
