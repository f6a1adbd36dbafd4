// A new installation has no statistics: of the tables of its first large workflow the planner knows nothing.
import { assert } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimAll, createProject, graph, report, startExecution } from "../../support/factories.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

Deno.test("a join in a large graph reads its own node and not all of them, before anything was analyzed", async () => {
  const pairs = Array.from({ length: 500 }, (_, index): [string, string][] => [
    [`a${index}`, `c${index}`],
    [`b${index}`, `c${index}`],
  ]).flat();
  const { execution } = await startExecution(db, await createProject(db), graph(pairs));
  const tasks = Object.values(await claimAll(db, execution.id)).filter((task) => ["a0", "b0"].includes(task.node_id));
  await using worker = await openTransaction(db, "worker");
  for (const task of tasks) await worker.rpc("complete_task", report(task));
  const [read] = await worker.sql<{ nodes: number }[]>`
    select idx_tup_fetch::integer as nodes from pg_stat_xact_user_tables where relname = 'workflow_nodes'`;
  assert(
    tasks.length === 2 && read !== undefined && read.nodes < 100,
    `${tasks.length} tasks read ${read?.nodes} nodes`,
  );
});
