// What a claim reads does not grow with the tasks that somebody heaped up for later, or for other workers.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { connectExplained } from "./explain.ts";

const db = await shareDatabase();

/** A project with one task of an agent type that no other test has. */
async function createHeap(agent_type: string) {
  const project = await createProject(db);
  await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, ${agent_type})`;
  const run = await startRun(db, { nodes: [{ id: "only", agent_type }], edges: [] }, {}, project);
  return { project, execution: run.id };
}

/** As many more tasks beside an execution's own, each due at a time of its own: in the past, or not for long. */
async function heapUp(execution: string, agentTypes: string[], count: number, isDue: boolean): Promise<void> {
  await db.sql`
    insert into public.agent_tasks
    select (jsonb_populate_record(t, jsonb_build_object(
      'id', gen_random_uuid(), 'iteration', b.last + n, 'agent_type', (${agentTypes}::text[])[1 + n % ${agentTypes.length}],
      'available_at', now() + make_interval(days => ${isDue ? -1 : 1}, secs => n)
    ))).*
    from public.agent_tasks as t
    cross join (select max(iteration) as last from public.agent_tasks where workflow_execution_id = ${execution}) as b
    cross join generate_series(1, ${count}::integer) as n
    where t.workflow_execution_id = ${execution} and t.iteration = 0`;
}

/** How many pages of tasks and their indexes a claim that finds nothing looks at. */
async function pagesRead(agent_type: string): Promise<number> {
  await using explained = await connectExplained(db);
  const claim = () =>
    explained.sql`select public.claim_tasks(worker_id := 'w', agent_types := ${[
      agent_type,
    ]}::text[]) -> 'tasks' as tasks`;
  assertEquals((await claim())[0]?.tasks, []);
  const plans = (await explained.plansInside(claim)).filter((plan) =>
    plan["Query Text"].includes("public.agent_tasks")
  );
  assert(plans.length > 0);
  return plans.reduce((sum, { Plan }) => sum + Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"], 0);
}

for (
  const [what, agent_type, heaped, isDue] of [
    ["are not due yet", "sleeper", "sleeper", false],
    ["are of another agent type", "passer", "bystander", true],
  ] as const
) {
  Deno.test(`a claim passes by ten thousand tasks that ${what} without reading them`, async () => {
    const heap = await createHeap(heaped);
    await db.sql`
      update public.agent_tasks set available_at = now() + interval '1 day' where workflow_execution_id = ${heap.execution}`;
    await heapUp(heap.execution, [heaped], 10_000, isDue);
    for (const statistics of ["without", "with"]) {
      if (statistics === "with") await db.sql`analyze public.agent_tasks`;
      const pages = await pagesRead(agent_type);
      assert(pages < 100, `${pages} pages, ${statistics} statistics`);
    }
    await db.sql`delete from public.projects where id = ${heap.project.id}`;
  });
}

Deno.test("the next turn is that of the first project behind the last one that has something due, whatever waits between", async () => {
  const TYPES = ["crier", "ringer", "piper"];
  const heaps = [];
  // Around the eight that are read at once, and twice as many as projects were seen.
  for (const waiting of [0, 1, 7, 8, 9, 15, 16, 17, 1, 150]) {
    const heap = await createHeap("crier");
    await db.sql`
      update public.agent_tasks set available_at = now() + interval '1 day' where workflow_execution_id = ${heap.execution}`;
    await heapUp(heap.execution, waiting % 2 ? TYPES : ["crier"], waiting, false);
    heaps.push(heap);
  }
  for (const [at, count] of [[0, 1], [3, 1], [5, 2], [9, 150]] as const) {
    await heapUp(heaps[at]?.execution ?? "", at === 3 ? ["piper"] : TYPES.slice(0, count), count, true);
  }
  const ids = heaps.map(({ project }) => project.id).sort();
  const places = ["00000000-0000-0000-0000-000000000000", ...ids];
  const turns = (by: "worker" | "person") =>
    db.sql`
      select p.id as after, w.wrapped, k.types, n.project_id, n.has_wrapped
      from unnest(${places}::uuid[]) as p (id)
      cross join (values (false), (true)) as w (wrapped)
      cross join (values (array['crier']), (array['ringer']), (array['piper', 'crier']), (array['nobody', 'ringer', 'piper'])) as k (types)
      cross join lateral private.next_turn(k.types, ${by === "person" ? ids : null}::uuid[], p.id, w.wrapped) as n
      order by p.id, w.wrapped, k.types`;
  const expected = await db.sql`
    select p.id as after, w.wrapped, k.types, n.project_id, case when n.project_id is not null then n.project_id <= p.id or w.wrapped end as has_wrapped
    from unnest(${places}::uuid[]) as p (id)
    cross join (values (false), (true)) as w (wrapped)
    cross join (values (array['crier']), (array['ringer']), (array['piper', 'crier']), (array['nobody', 'ringer', 'piper'])) as k (types)
    left join lateral (
      select t.project_id from public.agent_tasks as t
      where t.status = 'pending' and t.agent_type = any (k.types) and t.available_at <= now() and (t.project_id > p.id or not w.wrapped)
      order by t.project_id <= p.id, t.project_id
      limit 1
    ) as n on true
    order by p.id, w.wrapped, k.types`;
  assertEquals([...await turns("worker")], [...expected]);
  assertEquals([...await turns("person")], [...expected]);
  assert(new Set(expected.map(({ project_id }) => project_id)).size > 3);
  await db.sql`delete from public.projects where id in ${db.sql(ids)}`;
});
