// A queue's tables are empty at one analyze and huge at the next: plans that were made on the empty ones must do as well.
import { assert, assertEquals } from "@std/assert";
import type postgres from "postgres";
import { shareDatabase } from "../../support/database.ts";
import { type Claimed, createProject, graph, report, startExecution } from "../../support/factories.ts";
import { connectExplained, nodesOf, type StatementPlan } from "./explain.ts";

const db = await shareDatabase();

/** What a statement reads of a table without a condition for the index, or the whole table: it grows with the table. */
const unbounded = ({ Plan }: StatementPlan): string[] =>
  nodesOf(Plan)
    .filter((node) => node["Relation Name"] && !node["Index Cond"] && /Seq Scan|Index/.test(node["Node Type"]))
    .filter((node) => node["Actual Loops"] > 0)
    .map((node) => `${node["Node Type"]} on ${node["Relation Name"]}`);

const claim = async (sql: postgres.Sql, limit: number): Promise<Claimed[]> => {
  const [row] = await sql`
    select public.claim_tasks(worker_id := 'w', agent_types := '{architect}'::text[], "limit" := ${limit}) as answer`;
  return row?.answer.tasks;
};
type Send = (sql: postgres.Sql, tasks: Claimed[]) => Promise<void>;
const together: Send = async (sql, tasks) => {
  await sql`select public.complete_tasks(results := ${sql.json(tasks.map((task) => report(task)) as never)})`;
};
const oneByOne: Send = async (sql, tasks) => {
  for (const { id, lease_token } of tasks) {
    await sql`select public.complete_task(
      task_id := ${id}::uuid, lease_token := ${lease_token}::uuid, status := 'completed', output_data := '{"n": 1}'
    )`;
  }
};

// Tables as they are on the first day, with statistics that say so.
await db.sql`analyze`;
const project = await createProject(db);
const chains = () =>
  startExecution(db, project, graph(Array.from({ length: 12 }, (_, n): [string, string] => [`n${n}`, `n${n + 12}`])));
const ends = () =>
  startExecution(db, project, graph(Array.from({ length: 6 }, (_, n): [string, string] => [`n${n}`, "z"])));

async function work(sql: postgres.Sql, send: Send): Promise<void> {
  await chains();
  await ends();
  for (let tasks = await claim(sql, 10); tasks.length > 0; tasks = await claim(sql, 10)) await send(sql, tasks);
}

for (const [how, send] of [["together", together], ["one by one", oneByOne]] as const) {
  Deno.test(`claims and reports ${how} whose plans were made on empty tables still go by the indexes`, async () => {
    await using explained = await connectExplained(db);
    for (let n = 0; n < 4; n++) await work(explained.sql, send);
    const plans = await explained.plansInside(() => work(explained.sql, send));
    assert(plans.length > 50);
    assertEquals(
      plans.flatMap((plan) => unbounded(plan).map((found) => `${found}: ${plan["Query Text"].slice(0, 80)}`)),
      [],
    );
  });
}
