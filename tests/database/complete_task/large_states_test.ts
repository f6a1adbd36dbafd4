// The outputs of an execution can be more than can be put together in the time of a statement.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph, report } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";

const db = await shareDatabase();
const COUNT = 140;

/** All tasks but the last have a MiB each; the texts repeat themselves, so that it is stored and read fast. */
async function full() {
  const ids = Array.from({ length: COUNT }, (_, index) => `n${index}`);
  const run = await startRun(db, graph(ids.map((id) => [id, "last"]), { last: { ...oneAttempt, input: { n: 1 } } }), {
    goal: 1,
  });
  const leases = [...await run.claim(), ...await run.claim()];
  for (const name of leases.slice(1)) await run.complete(name);
  await db.sql`
    update public.agent_tasks set output_data = jsonb_build_object(node_id, repeat('x', 1040000))
    where workflow_execution_id = ${run.id} and status = 'completed'`;
  await run.complete("n0");
  return run;
}

Deno.test("a last report after 128 MiB of outputs is refused as too large, alone and in a batch", async () => {
  const run = await full();
  assertEquals((await run.refused("last", {})).sqlstate, "54000");
  const results = [report(await run.lease("last"))];
  const answer = await db.rpc("worker", "complete_tasks", { results });
  assertEquals(answer.results.map((result: { error?: { code: string } }) => result.error?.code), ["payload_too_large"]);
  assertEquals((await run.statuses()).last, "running");
});

Deno.test("and the execution fails when its worker says so, with the input as its state", async () => {
  const run = await full();
  await run.fail("last");
  const { status, state, error_message } = await run.execution();
  assertEquals(
    [status, JSON.stringify(state).slice(0, 50), error_message],
    ["failed", `{"goal":1}`, "What follows in this workflow is more than can be stored."],
  );
});

Deno.test("the state of such an execution is too large to be answered, and what it fits into is told", async () => {
  const run = await full();
  const refusal = await db.refusal(run.project.owner.actor, "execution_state", { execution_id: run.id });
  assertEquals([refusal.sqlstate, /128 MiB/.test(refusal.message)], ["54000", true]);
});
