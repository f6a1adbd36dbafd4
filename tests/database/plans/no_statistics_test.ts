// A new installation has no statistics: of the tables of its first large workflow the planner knows nothing.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimAll, createProject, graph, report, startExecution } from "../../support/factories.ts";
import { type OpenTransaction, openTransaction } from "../../support/transactions.ts";

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

const COUNT = 400;
const chains = graph(Array.from({ length: COUNT }, (_, index): [string, string] => [`a${index}`, `c${index}`]));

/** What this transaction has read of the tasks by an index so far: its entries. */
async function entriesRead(worker: OpenTransaction, index: string): Promise<number> {
  const [read] = await worker.sql<{ entries: number }[]>`
    select pg_stat_get_xact_tuples_returned(${`public.${index}`}::regclass)::integer as entries`;
  return read?.entries ?? 0;
}

Deno.test("a batch in a large graph reads the tasks behind its own and not all of them, before anything was analyzed", async () => {
  const { execution } = await startExecution(db, await createProject(db), chains);
  const tasks = Object.values(await claimAll(db, execution.id, { limit: 20 }));
  await using worker = await openTransaction(db, "worker");
  const { results } = await worker.rpc("complete_tasks", { results: tasks.map((task) => report(task)) });
  const entries = await entriesRead(worker, "idx_agent_tasks_workflow_execution_id");
  assert(results.length === 20 && entries < 200, `${results.length} reports read ${entries} entries`);
});

Deno.test("a claim for one execution with a limit reads none of the tasks of others, before anything was analyzed", async () => {
  const project = await createProject(db);
  const limited = { ...chains, concurrency_limit: 5 };
  for (let count = 0; count < 3; count++) await startExecution(db, project, limited);
  const { execution } = await startExecution(db, project, limited);
  await using worker = await openTransaction(db, "worker");
  const claim = { worker_id: "w", agent_types: ["architect"], limit: 5, execution_id: execution.id };
  const first = await worker.rpc("claim_tasks", claim);
  const second = await worker.rpc("claim_tasks", claim);
  const entries = await entriesRead(worker, "agent_tasks_claimable");
  assert(
    first.tasks.length === 5 && second.tasks.length === 0 && entries < COUNT,
    `${first.tasks.length} and ${second.tasks.length} tasks read ${entries} entries`,
  );
});

Deno.test("what many maps set going that begin at once is told once for all of them", async () => {
  const calls = async (count: number) => {
    const ids = Array.from({ length: count }, (_, index) => `m${index}`);
    const maps = graph(
      ids.map((id) => ["a", id]),
      Object.fromEntries(ids.map((id) => [id, { type: "map", over: "$.list" }])),
    );
    const { execution } = await startExecution(db, await createProject(db), maps, { list: [1, 2] });
    const [task] = Object.values(await claimAll(db, execution.id));
    await using worker = await openTransaction(db, "superuser");
    await worker.sql`set local track_functions = 'all'`;
    const { unlocked } = await worker.rpc("complete_task", report(task));
    const [merged] = await worker.sql<{ calls: number }[]>`
      select calls::integer as calls from pg_stat_xact_user_functions where funcname = 'merge_moved'`;
    assertEquals(unlocked.length, count);
    return merged?.calls ?? 0;
  };
  assertEquals(await calls(40), await calls(4));
});
