// heartbeat_task and claim_tasks: a node's timeout bounds an attempt, whatever lease its worker asks for.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();

const start = (timeout_seconds: number, retry = {}) =>
  startRun(db, graph([["a", "b"]], { a: { timeout_seconds, retry } }));

/** Seconds from the start of the attempt to the end of its lease. */
async function leased(run: Awaited<ReturnType<typeof start>>): Promise<number> {
  const [row] = await db.sql`
    select extract(epoch from lease_expires_at - started_at)::int as n from public.agent_tasks
    where workflow_execution_id = ${run.id} and node_id = 'a'`;
  return row?.n;
}

const startedBefore = (id: string, seconds: number) =>
  db.sql`
    update public.agent_tasks set started_at = now() - ${seconds} * interval '1 second'
    where workflow_execution_id = ${id} and node_id = 'a'`;

Deno.test("a lease never reaches beyond the timeout", async () => {
  const run = await start(30);
  await run.claim({ lease_seconds: 600 });
  assertEquals(await leased(run), 30);
});

Deno.test("a shorter lease stays as it was asked for", async () => {
  const run = await start(30);
  await run.claim({ lease_seconds: 10 });
  assertEquals(await leased(run), 10);
});

Deno.test("a heartbeat does not reach beyond it either", async () => {
  const run = await start(100);
  const { id: task_id, lease_token } = await run.lease("a");
  await startedBefore(run.id, 90);
  await db.rpc("worker", "heartbeat_task", { task_id, lease_token, lease_seconds: 60 });
  assertEquals(await leased(run), 100);
});

Deno.test("a heartbeat after the timeout is a lost lease", async () => {
  const run = await start(100);
  const { id: task_id, lease_token } = await run.lease("a");
  await startedBefore(run.id, 101);
  assertEquals((await db.refusal("worker", "heartbeat_task", { task_id, lease_token })).code, "task_lease_lost");
});

Deno.test("an attempt that has used up its time is taken back and counts", async () => {
  const run = await start(1, { max_attempts: 2 });
  await run.lease("a");
  await db.sql`
    update public.agent_tasks set started_at = now() - interval '2 s', lease_expires_at = now() - interval '1 s'
    where workflow_execution_id = ${run.id} and node_id = 'a'`;
  assertEquals(await run.claim(), ["a"]);
  assertEquals((await run.row("a")).attempt, 2);
});
