// What a claim reads does not grow with the leases that somebody has, or let run out, in projects of their own.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";
import { connectExplained, nodesOf } from "./explain.ts";

const db = await shareDatabase();
const MANY = 5000;

/** An agent type that no other test has, and runs of one task of it. */
async function createKind(agent_type: string) {
  const type = async (project: { id: string }) =>
    void await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, ${agent_type})`;
  const project = await createProject(db);
  await type(project);
  const start = async (definition: Record<string, unknown> = {}, where = project) =>
    await startRun(db, graph([["a", "__end__"]], { a: { agent_type, ...oneAttempt, ...definition } }), {}, where);
  const claim = (limit: number, project_id: string | null = null) =>
    db.rpc("worker", "claim_tasks", { worker_id: "w", agent_types: [agent_type], limit, project_id });
  return { project, type, start, claim };
}

/** As many more leases as starts and claims make, in their time. */
async function copyLeases(execution: string, count: number): Promise<void> {
  await addLeases(execution, count);
  await db.sql`analyze public.agent_tasks`;
}

async function addLeases(execution: string, count: number): Promise<void> {
  await db.sql`
    insert into public.agent_tasks
    select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'iteration', n))).*
    from public.agent_tasks as t cross join generate_series(1, ${count}::integer) as n
    where t.workflow_execution_id = ${execution} and t.status = 'running'`;
}

/** How many tasks a claim looks at, also those that it passes over. */
async function tasksRead(agent_type: string, limit = 1): Promise<number> {
  await using explained = await connectExplained(db);
  const plans = await explained.plansInside(() =>
    explained.sql`select public.claim_tasks(worker_id := 'w', agent_types := ${[
      agent_type,
    ]}::text[], "limit" := ${limit})`
  );
  const scans = plans.flatMap(({ Plan }) => nodesOf(Plan)).filter((node) => node["Relation Name"] === "agent_tasks");
  assert(scans.length > 0);
  return scans.reduce(
    (sum, node) => sum + node["Actual Loops"] * (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)),
    0,
  );
}

Deno.test("a claim that comes by a full project reads no more where somebody else has thousands of leases", async () => {
  const { project, type, start, claim } = await createKind("lessee");
  const heap = await start();
  await claim(1);
  const full = await createProject(db);
  await type(full);
  await db.sql`update public.projects set settings = '{"concurrency_limit": 1}' where id = ${full.id}`;
  await start({}, full);
  await start({}, full);
  assertEquals((await claim(2, full.id)).tasks.length, 1);

  const before = await tasksRead("lessee");
  await copyLeases(heap.id, MANY);
  const after = await tasksRead("lessee");
  assert(after <= before + 10, `${after} after ${before}`);
  await db.sql`delete from public.projects where id in ${db.sql([project.id, full.id])}`;
});

Deno.test("a project whose limit lies below what it has at work is full at the cost of its limit", async () => {
  const { project, start, claim } = await createKind("tenant");
  const heap = await start();
  await claim(1);
  await start();
  await db.sql`update public.projects set settings = '{"concurrency_limit": 3}' where id = ${project.id}`;
  await copyLeases(heap.id, MANY);
  assert(await tasksRead("tenant") < 100);
  assertEquals((await claim(2)).tasks, []);
  await db.sql`delete from public.projects where id = ${project.id}`;
});

Deno.test("of an execution with a limit a claim of fifty counts what its project has at work once, not for each task", async () => {
  const { project, start, claim } = await createKind("lodger");
  const heap = await start();
  await claim(1);
  await copyLeases(heap.id, MANY);
  const nodes = Array.from({ length: 50 }, (_, index) => `n${index}`);
  const types = Object.fromEntries(nodes.map((name) => [name, { agent_type: "lodger" }]));
  const definition = graph(nodes.map((name): [string, string] => [name, "__end__"]), types);
  await startRun(db, { ...definition, concurrency_limit: 100 }, {}, project);
  const read = await tasksRead("lodger", 50);
  assert(read < 5 * MANY, String(read));
  await db.sql`delete from public.projects where id = ${project.id}`;
});

Deno.test("a claim looks at hundreds of the leases that ran out, where somebody let thousands run out", async () => {
  const { project, start, claim } = await createKind("debtor");
  const heap = await start({ on_failure: "continue" });
  await claim(1);
  await copyLeases(heap.id, MANY);
  await expireLeases(db, heap.id);
  await db.sql`analyze public.agent_tasks`;
  const read = await tasksRead("debtor");
  assert(read < MANY / 2, String(read));
  await db.sql`delete from public.projects where id = ${project.id}`;
});

Deno.test("what a dead worker left is found behind hundreds of somebody else's leases that ran out before", async () => {
  const { project, claim } = await createKind("bankrupt");
  // A condition behind it: what may take long is left to claims for the project.
  const heap = await startRun(
    db,
    graph([["a", "b"], ["b", "__end__"]], {
      a: { agent_type: "bankrupt", ...oneAttempt, on_failure: "continue" },
      b: { agent_type: "bankrupt", input: { all: "$" } },
    }),
    {},
    project,
  );
  await claim(1);
  await copyLeases(heap.id, 1000);
  await expireLeases(db, heap.id);
  const other = await createKind("survivor");
  const runs = [await other.start(), await other.start({ retry: { max_attempts: 2 } })];
  assertEquals((await other.claim(2)).tasks.length, 2);
  for (const run of runs) await expireLeases(db, run.id);
  assertEquals((await other.claim(1)).tasks.length, 1);
  assertEquals(await runs[0]?.statuses(), { a: "failed" });
  await db.sql`delete from public.projects where id in ${db.sql([project.id, other.project.id])}`;
});

Deno.test("whether any lease ran out is asked by their time alone, also where the table's statistics know of no leases", async () => {
  const { project, start, claim } = await createKind("pawnbroker");
  const heap = await start();
  await claim(1);
  await db.sql`
    insert into public.agent_tasks
    select (jsonb_populate_record(t, jsonb_build_object(
      'id', gen_random_uuid(), 'iteration', n, 'status', 'skipped', 'lease_expires_at', null, 'lease_digest', null, 'completed_at', now()
    ))).*
    from public.agent_tasks as t cross join generate_series(1, ${MANY}::integer) as n
    where t.workflow_execution_id = ${heap.id}`;
  const lease = await start();
  await claim(1);
  // Where many leases came and went the index by time has grown; that by project is the smaller one then.
  await addLeases(lease.id, MANY);
  await db.sql`delete from public.agent_tasks where workflow_execution_id = ${lease.id} and iteration > 0`;
  await db.sql`reindex index public.agent_tasks_leased_by_project`;
  await db.sql`vacuum analyze public.agent_tasks`;
  await addLeases(lease.id, MANY);
  await using explained = await connectExplained(db);
  const plans = await explained.plansInside(() =>
    explained.sql`select public.claim_tasks(worker_id := 'w', agent_types := ${["pawnbroker"]}::text[], "limit" := 1)`
  );
  const asked = plans.filter((plan) => plan["Query Text"].includes("t.lease_expires_at < now()"));
  const indexes = asked.flatMap(({ Plan }) => nodesOf(Plan)).map((node) => node["Index Name"]).filter(Boolean);
  assertEquals([...new Set(indexes)], ["agent_tasks_leased"]);
  await db.sql`delete from public.projects where id = ${project.id}`;
});
