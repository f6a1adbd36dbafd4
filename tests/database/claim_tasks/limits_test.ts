// claim_tasks: how many tasks of a project, or of one execution, may run at once.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject, expireLeases, graph, type Project } from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const wide = (count: number, more = {}) => ({
  ...graph(Array.from({ length: count }, (_, index) => [`n${index}`, "__end__"])),
  ...more,
});

async function limited(concurrency_limit: unknown): Promise<Project> {
  const project = await createProject(db);
  await db.sql`update public.projects set settings = ${
    db.sql.json({ concurrency_limit } as never)
  } where id = ${project.id}`;
  return project;
}

const claim = async (fields: Record<string, unknown>): Promise<number> =>
  (await db.rpc("worker", "claim_tasks", { worker_id: "w", agent_types: ["architect"], limit: 100, ...fields })).tasks
    .length;

const running = async (run: Run) => Object.values(await run.statuses()).filter((status) => status === "running").length;

Deno.test("a project runs no more tasks at once than its limit", async () => {
  const project = await limited(3);
  const run = await startRun(db, wide(5), {}, project);
  assertEquals([await claim({ project_id: project.id }), await claim({ project_id: project.id })], [3, 0]);
  assertEquals(await running(run), 3);
});

Deno.test("the limit counts all executions of the project together", async () => {
  const project = await limited(3);
  for (let index = 0; index < 2; index++) await startRun(db, wide(2), {}, project);
  assertEquals(await claim({ project_id: project.id }), 3);
});

for (
  const [how, end] of [
    ["completed", (run: Run) => run.complete("n0")],
    ["failed", (run: Run) => run.fail("n0")],
    ["released", async (run: Run) => {
      const { id: task_id, lease_token } = await run.lease("n0");
      await db.rpc("worker", "release_task", { task_id, lease_token });
    }],
  ] as const
) {
  Deno.test(`a task that is ${how} makes room for another`, async () => {
    const project = await limited(1);
    const run = await startRun(db, wide(2), {}, project);
    await run.claim();
    await end(run);
    assertEquals(await claim({ project_id: project.id }), 1);
  });
}

Deno.test("a dead worker's task makes room when it is taken back", async () => {
  const project = await limited(1);
  const run = await startRun(db, wide(2), {}, project);
  await claim({ project_id: project.id });
  await expireLeases(db, run.id);
  assertEquals([await claim({ project_id: project.id }), await running(run)], [1, 1]);
});

Deno.test("another project is not held up by one that is full", async () => {
  const project = await limited(1);
  await startRun(db, wide(2), {}, project);
  const other = await createProject(db);
  await startRun(db, wide(2), {}, other);
  await db
    .sql`insert into public.project_collaborators (project_id, user_id, role) values (${other.id}, ${project.owner.id}, 'editor')`;
  const { tasks } = await db.rpc(project.owner.actor, "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    limit: 100,
  });
  const counts = [project.id, other.id].map((id) =>
    tasks.filter((task: { project_id: string }) => task.project_id === id).length
  );
  assertEquals(counts, [1, 2]);
});

Deno.test("a limit of zero stops a project, and taking the limit away lets it go on", async () => {
  const project = await limited(0);
  await startRun(db, wide(2), {}, project);
  assertEquals(await claim({ project_id: project.id }), 0);
  await db.sql`update public.projects set settings = '{}' where id = ${project.id}`;
  assertEquals(await claim({ project_id: project.id }), 2);
});

for (const value of ["3", [1], { n: 1 }, true, -5, 2.5]) {
  const settings = { concurrency_limit: value };
  const written = async (project: Project) => {
    return await db.as(project.owner.actor, (sql) =>
      sql`
      update public.projects set settings = ${sql.json(settings as never)} where id = ${project.id} returning id`);
  };

  Deno.test(`a limit of ${JSON.stringify(value)} is refused where it is written`, async () => {
    const refusal = await refused(written(await createProject(db)));
    assertEquals([refusal.sqlstate, /concurrency_limit/.test(refusal.message)], ["23514", true]);
  });

  Deno.test(`a limit of ${JSON.stringify(value)} from before stops no claim and no other change`, async () => {
    const project = await createProject(db);
    await db.sql.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`update public.projects set settings = ${sql.json(settings as never)} where id = ${project.id}`;
    });
    await startRun(db, wide(4), {}, project);
    assertEquals(await claim({ project_id: project.id }), value === -5 ? 0 : value === 2.5 ? 2 : 4);
    assertEquals((await written(project)).length, 1);
  });
}

for (const value of [null, 5.0, 1e12]) {
  Deno.test(`a limit of ${JSON.stringify(value)} is taken, also for a new project`, async () => {
    const project = await limited(value);
    await startRun(db, wide(4), {}, project);
    assertEquals(await claim({ project_id: project.id }), 4);
    const [made] = await db.as(project.owner.actor, (sql) =>
      sql`
      insert into public.projects (name, settings) values ('A project', ${sql.json({ concurrency_limit: value })})
      returning settings`);
    assertEquals(made?.settings, { concurrency_limit: value });
  });
}

Deno.test("two claims at the same moment do not both take the last place of a project", async () => {
  const project = await limited(3);
  const run = await startRun(db, wide(6), {}, project);
  const request = { worker_id: "w", agent_types: ["architect"], limit: 2, project_id: project.id };
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("claim_tasks", request);
  const pending = second.rpc("claim_tasks", request);
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals((await pending).tasks.length, 1);
  await second.commit();
  assertEquals(await running(run), 3);
});

Deno.test("many claims at once never overrun a limit of a project or of an execution", async () => {
  const project = await limited(5);
  const one = await startRun(db, wide(10, { concurrency_limit: 2 }), {}, project);
  const two = await startRun(db, wide(10), {}, project);
  await Promise.all(Array.from({ length: 12 }, () => claim({ project_id: project.id, limit: 3 })));
  assertEquals([await running(one) <= 2, await running(one) + await running(two)], [true, 5]);
});

Deno.test("an execution runs no more tasks at once than its definition allows; others are not held up", async () => {
  const project = await createProject(db);
  const one = await startRun(db, wide(5, { concurrency_limit: 2 }), {}, project);
  const two = await startRun(db, wide(3), {}, project);
  const first = await one.claim();
  assertEquals([first.length, await one.claim(), (await two.claim()).length], [2, [], 3]);
  await one.complete(first[0] ?? "");
  assertEquals((await one.claim()).length, 1);
});

Deno.test("a claim over the whole project stops at each execution's limit and goes on with the others", async () => {
  const project = await createProject(db);
  const one = await startRun(db, wide(5, { concurrency_limit: 2 }), {}, project);
  const two = await startRun(db, wide(3), {}, project);
  assertEquals([await claim({ project_id: project.id }), await running(one), await running(two)], [5, 2, 3]);
});

Deno.test("the elements of a map count each", async () => {
  const definition = { ...graph([["m", "b"]], { m: { type: "map", over: "$.files" } }), concurrency_limit: 2 };
  const run = await startRun(db, definition, { files: [1, 2, 3, 4] });
  assertEquals([(await run.claim()).length, (await run.claim()).length], [2, 0]);
});

Deno.test("the higher priority takes the room there is", async () => {
  const nodes = { n1: { priority: 5 }, n3: { priority: 3 } };
  const definition = graph(Array.from({ length: 4 }, (_, index) => [`n${index}`, "__end__"]), nodes);
  const run = await startRun(db, { ...definition, concurrency_limit: 2 });
  assertEquals(await run.claim(), ["n1", "n3"]);
});

Deno.test("a limit holds again after a retry, and in a fork", async () => {
  const definition = wide(3, { concurrency_limit: 1 });
  definition.nodes = definition.nodes.map((node) => ({ ...node, ...oneAttempt }));
  const run = await startRun(db, definition);
  const [name = ""] = await run.claim();
  await run.fail(name);
  await db.rpc("worker", "retry_execution", { execution_id: run.id });
  assertEquals(await claim({ execution_id: run.id }), 1);
  const { execution } = await db.rpc("worker", "fork_execution", { execution_id: run.id, from_node: "n0" });
  assertEquals([await claim({ execution_id: execution.id }), await claim({ execution_id: execution.id })], [1, 0]);
});

Deno.test("a claim of all projects waits for none of them: what another is claiming from has no room", async () => {
  const project = await limited(3);
  await startRun(db, wide(5), {}, project);
  const request = { worker_id: "w", agent_types: ["architect"], limit: 1 };
  await using first = await openTransaction(db, "worker");
  assertEquals((await first.rpc("claim_tasks", { ...request, project_id: project.id })).tasks.length, 1);
  await using second = await openTransaction(db, "worker");
  await second.sql`set local lock_timeout = '1s'`;
  const { tasks } = await second.rpc("claim_tasks", { ...request, limit: 100 });
  assertEquals(tasks.filter((task: { project_id: string }) => task.project_id === project.id), []);
});

Deno.test("projects without room end a claim after a hundred turns, and the next one goes on behind them", async () => {
  const crowd = await createProject(db);
  const agent_type = "crowded";
  await db.sql`insert into public.agent_types (name) values (${agent_type})`;
  const definition = { nodes: [{ id: "a", type: "agent", agent_type }], edges: [] };
  const run = await startRun(db, definition, {}, crowd);
  // Copies of one pending task, each in a project of its own that has no room.
  await db.sql`
    with made as (
      insert into public.projects (name, owner_id, settings)
      select 'full ' || n, ${crowd.owner.id}, '{"concurrency_limit": 0}' from generate_series(1, 250) as n returning id
    )
    insert into public.agent_tasks (workflow_execution_id, project_id, version_id, agent_type, node_id, node_index, node_type, status, iteration, input_data)
    select t.workflow_execution_id, m.id, t.version_id, t.agent_type, t.node_id, t.node_index, t.node_type, 'pending',
      row_number() over (), '{}'
    from made as m, public.agent_tasks as t where t.workflow_execution_id = ${run.id}`;
  // Turns are remembered by the connection, so all claims are of one.
  await using worker = await openTransaction(db, "worker");
  const claims: number[] = [];
  for (let index = 0; index < 4; index++) {
    const { tasks } = await worker.rpc("claim_tasks", { worker_id: "w", agent_types: [agent_type], limit: 2 });
    claims.push(tasks.length);
    if (index > 0) continue;
    const [{ n = 0 } = {}] = await db.sql`
      select count(*)::integer as n from pg_locks where pid = ${worker.pid} and locktype = 'advisory'`;
    assertEquals(n <= 200, true, `${n} locks`);
  }
  assertEquals(claims.reduce((sum, count) => sum + count), 1);
});
