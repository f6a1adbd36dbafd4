// start_workflow: what a start makes.
import { assertEquals } from "@std/assert";
import { cloneDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph, startExecution } from "../../support/factories.ts";

Deno.test("a start makes one task per node, and only the entries are pending", async () => {
  await using db = await cloneDatabase();
  const project = await createProject(db);
  const { tasks } = await startExecution(db, project, graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]));
  assertEquals(tasks.map((task: { node_id: string; status: string }) => [task.node_id, task.status]), [
    ["a", "pending"],
    ["b", "blocked"],
    ["c", "blocked"],
    ["d", "blocked"],
  ]);
});

Deno.test("the same key and input give the same execution again, and another input is refused", async () => {
  await using db = await cloneDatabase();
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]]));
  const request = { workflow_id, input: { goal: 1 }, idempotency_key: "key" };
  const first = await db.rpc(project.owner.actor, "start_workflow", request);
  const again = await db.rpc(project.owner.actor, "start_workflow", request);
  assertEquals([again.execution.id, again.replayed], [first.execution.id, true]);
  const refusal = await db.refusal(project.owner.actor, "start_workflow", { ...request, input: { goal: 2 } });
  assertEquals(refusal.code, "idempotency_conflict");
});
