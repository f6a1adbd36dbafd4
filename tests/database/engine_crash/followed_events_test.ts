// Events followed from a cursor while transactions that write them are held open, commit out of order or are rolled back.
import { assertEquals } from "@std/assert";
import { shareDatabase, type TestDatabase } from "../../support/database.ts";
import { claimAll, createProject, executionRow, graph, report, startExecution } from "../../support/factories.ts";
import { openTransaction, untilVisible } from "../../support/transactions.ts";
import { assertWhole, startLayers } from "./graphs.ts";
import { workOn } from "../../support/worker.ts";

const db = await shareDatabase();

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A reader that remembers where it is, and all it has been given. */
function follow(db: TestDatabase, execution_id: string, limit: number) {
  const seen: string[] = [];
  let after: unknown = null;
  return {
    seen,
    /** Reads on as far as can be read now. */
    async catchUp() {
      for (let more = true; more;) {
        const answer = await db.rpc("worker", "list_events", { execution_id, after, limit });
        seen.push(...answer.events.map((event: { id: string | number }) => String(event.id)));
        after = answer.cursor ?? after;
        more = answer.has_more;
      }
    },
  };
}

async function idsInOrder(db: TestDatabase, execution_id: string): Promise<string[]> {
  const rows = await db.sql`
    select id from public.execution_events where workflow_execution_id = ${execution_id} order by transaction_id, id`;
  return rows.map((row) => String(row.id));
}

Deno.test("an event that commits after a later one is neither missed nor read twice", async () => {
  const { execution } = await startExecution(db, await createProject(db), graph([["a", "c"], ["b", "d"]]));
  const tasks = await claimAll(db, execution.id);
  const reader = follow(db, execution.id, 100);
  await reader.catchUp();
  await using early = await openTransaction(db, "worker");
  await early.rpc("heartbeat_task", { task_id: tasks.a?.id, lease_token: tasks.a?.lease_token });
  await early.sql`select pg_current_xact_id()`;
  await db.rpc("worker", "complete_task", report(tasks.b));
  await reader.catchUp();
  await early.rpc("complete_task", report(tasks.a));
  await reader.catchUp();
  await early.commit();
  await untilVisible(db);
  await reader.catchUp();
  assertEquals(reader.seen, await idsInOrder(db, execution.id));
});

Deno.test("what is rolled back is not read, and holds nothing back for good", async () => {
  const { execution } = await startExecution(db, await createProject(db), graph([["a", "c"], ["b", "d"]]));
  const tasks = await claimAll(db, execution.id);
  const reader = follow(db, execution.id, 2);
  const early = await openTransaction(db, "worker");
  await early.rpc("complete_task", report(tasks.a));
  await db.rpc("worker", "complete_task", report(tasks.b));
  await reader.catchUp();
  await early.rollback();
  await untilVisible(db);
  await reader.catchUp();
  assertEquals(reader.seen, await idsInOrder(db, execution.id));
});

Deno.test("readers of a busy execution are given each event once, in one order", async () => {
  const execution_id = await startLayers(db, 6, 40);
  const isOver = async () => (await executionRow(db, execution_id)).status !== "running";
  const readers = [1, 7, 100].map((limit) => follow(db, execution_id, limit));
  // Transactions of others that stay open for a while, with and without events of their own.
  const disturb = async () => {
    while (!await isOver()) {
      const transaction = await openTransaction(db, "worker");
      await transaction.sql`select pg_current_xact_id()`;
      const held = { worker_id: "a slow one", agent_types: ["architect"], execution_id, limit: 2 };
      if (Math.random() < 0.5) await transaction.rpc("claim_tasks", held);
      await pause(Math.random() * 60);
      await transaction.rollback();
    }
  };
  const read = async (reader: ReturnType<typeof follow>) => {
    while (!await isOver()) {
      await reader.catchUp();
      await pause(Math.random() * 10);
    }
    await reader.catchUp();
  };
  await Promise.all([
    ...[1, 2, 3].map((index) => workOn(db.url, { execution_id, worker_id: `worker ${index}`, limit: 3 })),
    ...[1, 2].map(disturb),
    ...readers.map(read),
  ]);
  await untilVisible(db);
  await Promise.all(readers.map((reader) => reader.catchUp()));
  const all = await idsInOrder(db, execution_id);
  for (const reader of readers) assertEquals(reader.seen, all);
  await assertWhole(db, execution_id, 240);
});
