// claim_tasks: what one person heaps up in a project of theirs does not end the claims of those who serve all projects.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, expireLeases, graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A project with an agent type that no other test has, and tasks of it. */
async function createHeap(agent_type: string) {
  const project = await createProject(db);
  await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, ${agent_type})`;
  const node = (priority: number) => ({ agent_type, priority });
  return { project, node };
}

Deno.test("6,000 executions that are full, before 100 tasks that are not, do not end a claim of a hundred", async () => {
  const { project, node } = await createHeap("heaper");
  const limited = graph([["a", "__end__"], ["b", "__end__"]], { a: node(100), b: node(100) });
  const full = await startRun(db, { ...limited, concurrency_limit: 1 }, {}, project);
  const claim = { worker_id: "w", agent_types: ["heaper"] };
  assertEquals((await db.rpc("worker", "claim_tasks", { ...claim, limit: 100 })).tasks.length, 1);
  // As many starts and claims make them, in their time.
  await db.sql`
    with copy as materialized (
      insert into public.workflow_executions
      select (jsonb_populate_record(x, jsonb_build_object('id', gen_random_uuid()))).*
      from public.workflow_executions as x cross join generate_series(1, 6000)
      where x.id = ${full.id}
      returning id, project_id
    ), limited as (
      insert into private.limited_executions select c.id, c.project_id, 1 from copy as c
    )
    insert into public.agent_tasks
    select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'workflow_execution_id', c.id))).*
    from public.agent_tasks as t cross join copy as c
    where t.workflow_execution_id = ${full.id}`;
  const names = Array.from({ length: 100 }, (_, index) => `n${index}`);
  await startRun(
    db,
    graph(names.map((name) => [name, "__end__"]), Object.fromEntries(names.map((name) => [name, node(-100)]))),
    {},
    project,
  );

  await using worker = await openTransaction(db, "worker");
  await worker.sql`set local statement_timeout = '8s'`;
  assertEquals((await worker.rpc("claim_tasks", { ...claim, limit: 100 })).tasks.length, 100);
});

Deno.test("of many tasks at once, each limited execution gives what it has room for, in the order of priority", async () => {
  const { project, node } = await createHeap("filler");
  const names = ["a", "b", "c"];
  const definition = graph(
    names.map((name) => [name, "__end__"]),
    Object.fromEntries(names.map((name, index) => [name, node(-index)])),
  );
  for (const concurrency_limit of [1, 2]) await startRun(db, { ...definition, concurrency_limit }, {}, project);
  const { tasks } = await db.rpc("worker", "claim_tasks", { worker_id: "w", agent_types: ["filler"], limit: 100 });
  assertEquals(tasks.map((task: { node_id: string }) => task.node_id), ["a", "a", "b"]);
});

Deno.test("a claim whose time is up stops behind a project, and the next one goes on behind that", async () => {
  const ids: string[] = [];
  for (let index = 0; index < 2; index++) {
    const { project, node } = await createHeap("sleeper");
    await startRun(db, graph([["a", "__end__"]], { a: node(0) }), {}, project);
    ids.push(project.id);
  }
  const found: string[][] = [];
  await using worker = await openTransaction(db, "worker");
  for (let index = 0; index < 2; index++) {
    const [row] = await worker.sql`select public.claim_tasks('w', '{sleeper}', 10) as answer from pg_sleep(3.1)`;
    found.push(row?.answer.tasks.map((task: { project_id: string }) => task.project_id));
  }
  assertEquals(found.map((projects) => projects.length), [1, 1]);
  assertEquals(found.flat().toSorted(), ids.toSorted());
});

Deno.test("a claim does not wait for who has rows of an execution that a dead worker left, and brings other work", async () => {
  const { project, node } = await createHeap("waiter");
  const dead = graph([["a", "__end__"], ["b", "__end__"]], {
    a: { ...node(0), retry: { max_attempts: 1 } },
    b: { ...node(0), delay_seconds: 3600 },
  });
  const runs = [await startRun(db, dead, {}, project), await startRun(db, dead, {}, project)];
  const claim = { worker_id: "w", agent_types: ["waiter"], limit: 10 };
  assertEquals((await db.rpc("worker", "claim_tasks", claim)).tasks.length, 2);
  for (const run of runs) await expireLeases(db, run.id);
  await startRun(db, graph([["c", "__end__"]], { c: node(0) }), {}, project);

  // As who deletes the project, or saves files for the task.
  await using holder = await openTransaction(db, "superuser");
  for (const run of runs) await holder.sql`select from public.workflow_executions where id = ${run.id} for update`;
  await using worker = await openTransaction(db, "worker");
  await worker.sql`set local statement_timeout = '8s'`;
  const { tasks } = await worker.rpc("claim_tasks", claim);
  assertEquals(tasks.map((task: { node_id: string }) => task.node_id), ["c"]);
  await worker.commit();
  await holder.rollback();

  assertEquals((await db.rpc("worker", "claim_tasks", claim)).tasks, []);
  for (const run of runs) assertEquals(await run.statuses(), { a: "failed", b: "cancelled" });
});
