// To break off a tree of executions is done without any limit of time, so it must not take the square of its size.
import { assert } from "@std/assert";
import type { TransactionSql } from "postgres";
import { become, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();

/** How long it takes, in milliseconds; nothing of it remains. */
async function timed(work: (tx: TransactionSql) => Promise<unknown>): Promise<number> {
  const undone = new Error("undone");
  let took = 0;
  await db.as("superuser", async (tx) => {
    const begun = performance.now();
    await work(tx);
    took = performance.now() - begun;
    throw undone;
  }).catch((error) => {
    if (error !== undone) throw error;
  });
  return took;
}

const nodes = (count: number, options: Record<string, unknown>) => ({
  ...graph([]),
  nodes: Array.from({ length: count }, (_, index) => ({ id: `n${index}`, ...options })),
});

Deno.test("to break off 1,500 executions of thirty tasks inside another takes about as long as to cancel them", async () => {
  const project = await createProject(db);
  const inside = await createWorkflow(db, project, nodes(30, { type: "agent", agent_type: "architect" }));
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id: inside });
  const around = nodes(1500, { type: "workflow", workflow_id: inside });
  const { execution } = await startExecution(db, project, around);
  await db.sql`analyze public.agent_tasks, public.workflow_executions`;
  // A machine that stands still for a moment makes one look long; what always takes so long does in all three rounds.
  const ratios: number[] = [];
  while (ratios.length < 3 && !ratios.some((ratio) => ratio < 2.2)) {
    const cancelled = await timed(async (tx) => {
      await become(tx, project.owner.actor);
      await tx`select public.cancel_execution(${execution.id})`;
    });
    const brokenOff = await timed((tx) =>
      tx`
        select private.break_off(t, 'It failed.', '{}', 'It is too much.') from public.agent_tasks as t
        where t.workflow_execution_id = ${execution.id} and t.node_id = 'n0'`
    );
    ratios.push(brokenOff / cancelled);
  }
  assert(Math.min(...ratios) < 2.2, `${ratios.join(", ")} times as long`);
});
