// Claims and completions go by indexes alone, whatever else the tables hold: every statement they run inside is looked at.
import { assert, assertEquals } from "@std/assert";
import type postgres from "postgres";
import { buildWorld } from "../../bench/reads/world.ts";
import { type Claimed, createProject, graph, startExecution } from "../../support/factories.ts";
import { startNested } from "../../support/nested.ts";
import { connectExplained, nodesOf, type StatementPlan } from "./explain.ts";

const world = await buildWorld({ projects: 400, perProject: 40, messages: 1 });
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());
const { db } = world;

async function claim(sql: postgres.Sql): Promise<Claimed> {
  const [row] = await sql`
    select public.claim_tasks(worker_id := 'w', agent_types := '{architect}'::text[], lease_seconds := 600) as answer`;
  return row?.answer.tasks[0];
}

async function complete(sql: postgres.Sql, { id, lease_token }: Claimed): Promise<void> {
  await sql`select public.complete_task(
    task_id := ${id}::uuid, lease_token := ${lease_token}::uuid, status := 'completed', output_data := '{"n": 1}'
  )`;
}

/** Tables that a statement read from end to end. */
function scanned({ Plan }: StatementPlan): string[] {
  return nodesOf(Plan).filter((node) => node["Node Type"] === "Seq Scan" && node["Actual Loops"] > 0)
    .map((node) => node["Relation Name"] ?? "");
}

// More than one project's work is waiting, and enough of it that reading all would show.
for (let n = 0; n < 3; n++) {
  const pairs = Array.from({ length: 60 }, (_, index): [string, string] => [`n${index}`, "join"]);
  await startExecution(db, await createProject(db), graph(pairs));
}
await db.sql`vacuum analyze`;

/** PostgreSQL settles on the plans of a function's statements with the sixth run. */
async function settle(sql: postgres.Sql): Promise<void> {
  for (let n = 0; n < 7; n++) await complete(sql, await claim(sql));
}

const touchesTasks = (plans: StatementPlan[]) =>
  plans.some(({ Plan }) => nodesOf(Plan).some((node) => node["Relation Name"] === "agent_tasks"));

Deno.test("complete_task reads no table from end to end", async () => {
  await using explained = await connectExplained(db);
  await settle(explained.sql);
  const task = await claim(explained.sql);
  const plans = await explained.plansInside(() => complete(explained.sql, task));
  assert(touchesTasks(plans));
  assertEquals(plans.flatMap(scanned), []);
});

Deno.test("claim_tasks reads no table from end to end", async () => {
  await using explained = await connectExplained(db);
  await settle(explained.sql);
  const plans = await explained.plansInside(() => claim(explained.sql));
  assert(touchesTasks(plans));
  assertEquals(plans.flatMap(scanned), []);
});

Deno.test("a claim for one execution reads no table from end to end to bring what runs inside it", async () => {
  const [outermost] = await startNested(db, await createProject(db), 2);
  await using explained = await connectExplained(db);
  const claimInside = () =>
    explained.sql`select public.claim_tasks(
      worker_id := 'w', agent_types := '{architect}'::text[], execution_id := ${outermost ?? ""}::uuid
    ) as answer`;
  for (let n = 0; n < 7; n++) {
    const [row] = await claimInside();
    const [task] = row?.answer.tasks;
    await explained
      .sql`select public.release_task(task_id := ${task.id}::uuid, lease_token := ${task.lease_token}::uuid)`;
  }
  const plans = await explained.plansInside(claimInside);
  assert(touchesTasks(plans));
  assertEquals(plans.flatMap(scanned), []);
});

Deno.test("a claim does not read and sort what it leaves to others", async () => {
  await using explained = await connectExplained(db);
  await settle(explained.sql);
  const plans = await explained.plansInside(() => claim(explained.sql));
  assert(touchesTasks(plans));
  const sorts = plans.flatMap(({ Plan }) => nodesOf(Plan)).filter((node) => node["Node Type"] === "Sort");
  const sorted = sorts.map((sort) => nodesOf(sort).map((node) => node["Index Name"]));
  assertEquals(sorted.filter((indexes) => indexes.includes("agent_tasks_claimable")), []);
});
