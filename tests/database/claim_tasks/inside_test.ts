// claim_tasks: a claim for one execution is a claim for the workflows that run inside it, too.
import { assertEquals } from "@std/assert";
import { type Answer, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph, type Project, startExecution } from "../../support/factories.ts";
import { startNested } from "../../support/nested.ts";

const db = await shareDatabase();

const claimed = async (execution_id: string): Promise<string[]> => {
  const { tasks } = await db.rpc("worker", "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    limit: 100,
    execution_id,
  });
  return tasks.map((task: Answer) => task.execution_id);
};

/** A project that has both a limit of its own and one whose tasks are claimed together, as most are. */
const homes: Record<string, (project: Project) => Promise<unknown>> = {
  "": () => Promise.resolve(),
  ", where the project has a limit too": ({ id }) =>
    db.sql`update public.projects set settings = '{"concurrency_limit": 50}' where id = ${id}`,
};

for (const [where, furnish] of Object.entries(homes)) {
  Deno.test(`a claim for an execution brings what is to be done three workflows further inside${where}`, async () => {
    const project = await createProject(db);
    await furnish(project);
    const ids = await startNested(db, project, 3);
    assertEquals(await claimed(ids[0] ?? ""), [ids[3]]);
  });

  Deno.test(`a claim for an execution in the middle brings what is inside it, and of another run nothing${where}`, async () => {
    const project = await createProject(db);
    await furnish(project);
    const [ids] = [await startNested(db, project, 2), await startNested(db, project, 2)];
    assertEquals(await claimed(ids[1] ?? ""), [ids[2]]);
  });
}

Deno.test("a claim for one workflow inside brings nothing of the one beside it", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["work", "__end__"]]));
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
  const inside = { type: "workflow", workflow_id };
  const { execution } = await startExecution(db, project, {
    nodes: [{ id: "left", ...inside }, { id: "right", ...inside }],
    edges: [],
  });
  const [left, right] = await db.sql`
    select x.id from public.workflow_executions as x join public.agent_tasks as t on t.id = x.parent_task_id
    where t.workflow_execution_id = ${execution.id} order by t.node_id`;
  assertEquals([await claimed(left?.id), await claimed(execution.id)], [[left?.id], [right?.id]]);
});
