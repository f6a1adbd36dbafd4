// An execution with others inside it, each of which waits for one task of its own.
import type { TestDatabase } from "./database.ts";
import { claimNode, createWorkflow, graph, type Project, report, startExecution } from "./factories.ts";

/**
 * Starts a workflow with `depth` others inside each other; the ids are those of the executions, outermost first. Before
 * the next one starts inside it, the outermost writes these artifacts.
 */
export async function startNested(
  db: TestDatabase,
  project: Project,
  depth: number,
  artifacts: Record<string, unknown>[] = [],
): Promise<string[]> {
  let definition = graph([["work", "__end__"]]);
  for (let level = 0; level < depth; level++) {
    const workflow_id = await createWorkflow(db, project, definition);
    await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
    definition = graph([["work", "inside"], ["inside", "after"]], { inside: { type: "workflow", workflow_id } });
  }
  const { execution } = await startExecution(db, project, definition);
  const ids: string[] = [execution.id];
  for (let level = 0; level < depth; level++) {
    await completeNode(db, ids[level] ?? "", "work", level === 0 ? artifacts : []);
    const [child] = await db.sql`
      select x.id from public.workflow_executions as x join public.agent_tasks as t on t.id = x.parent_task_id
      where t.workflow_execution_id = ${ids[level] ?? ""}`;
    ids.push(child?.id);
  }
  return ids;
}

/** Completes the task of that node with these artifacts. */
export async function completeNode(
  db: TestDatabase,
  executionId: string,
  node: string,
  artifacts: Record<string, unknown>[],
): Promise<void> {
  await db.rpc("worker", "complete_task", report(await claimNode(db, executionId, node), { artifacts }));
}
