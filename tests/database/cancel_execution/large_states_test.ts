// What was reported can be more than a state holds (128 MiB), or longer to fold than a statement may take: such an execution
// is ended nonetheless. A fold of that size takes a machine long; one that fails, or sleeps, stands for it here.
import { assertEquals } from "@std/assert";
import { become, callDoor, cloneDatabase, type TestDatabase } from "../../support/database.ts";
import { createWorkflow, graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

/** Has every fold of the database do that first. */
async function foldAfter(db: TestDatabase, statement: string): Promise<void> {
  await db.sql.unsafe(`
    alter function private.fold_state(uuid) rename to true_fold;
    create function private.fold_state(p_execution_id uuid) returns jsonb language plpgsql as $$
    begin ${statement}; return private.true_fold(p_execution_id); end $$`);
}

const TOO_LARGE = "raise program_limit_exceeded";

Deno.test("an execution whose outputs are too large together to be one state is cancelled, and its state is its input", async () => {
  await using db = await cloneDatabase();
  const run = await startRun(db, graph([["a", "b"]]), { goal: 1 });
  await run.complete("a", { done: "a" });
  await foldAfter(db, TOO_LARGE);
  const { execution } = await db.rpc(run.project.editor.actor, "cancel_execution", {
    execution_id: run.id,
    reason: "no",
  });
  assertEquals([execution.status, execution.error_message], ["cancelled", "no"]);
  assertEquals((await run.execution()).state, { goal: 1 });
});

Deno.test("so is one whose outputs take longer to fold than a statement may", async () => {
  await using db = await cloneDatabase();
  const run = await startRun(db, graph([["a", "b"]]), { goal: 1 });
  await foldAfter(db, "perform pg_sleep(600)");
  await db.as("superuser", async (tx) => {
    await tx`set local statement_timeout = '2s'`;
    await become(tx, run.project.editor.actor);
    await callDoor(tx, "cancel_execution", { execution_id: run.id });
  });
  const { status, state } = await run.execution();
  assertEquals([status, state], ["cancelled", { goal: 1 }]);
});

Deno.test("so is one inside another, with the one around it", async () => {
  await using db = await cloneDatabase();
  const run = await startRun(db, graph([["a", "b"]]));
  const inside = await createWorkflow(db, run.project, graph([["a", "b"]]));
  await db.rpc(run.project.owner.actor, "publish_workflow", { workflow_id: inside });
  const around = await startRun(db, { nodes: [{ id: "w", type: "workflow", workflow_id: inside }], edges: [] }, {
    goal: 2,
  }, run.project);
  await foldAfter(db, TOO_LARGE);
  await db.rpc(run.project.editor.actor, "cancel_execution", { execution_id: around.id });
  const ended = await db.sql`
    select status, state from public.workflow_executions where workflow_id in (${inside}, (
      select workflow_id from public.workflow_executions where id = ${around.id}
    ))`;
  assertEquals(ended.map(({ status, state }) => [status, state]), [["cancelled", { goal: 2 }], ["cancelled", {
    goal: 2,
  }]]);
});
