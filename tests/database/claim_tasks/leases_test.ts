// claim_tasks: the lease that a claim hands out, and what becomes of one that runs out.
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  claimNode,
  createProject,
  executionRow,
  expireLeases,
  graph,
  startExecution,
  statuses,
} from "../../support/factories.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

async function start(retry = {}) {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "c"], ["b", "c"]], { a: { retry } }));
  return { project, id: execution.id as string };
}

const claimAs = (worker_id: string, execution_id: string, lease_seconds = 60) =>
  db.rpc("worker", "claim_tasks", { worker_id, agent_types: ["architect"], limit: 1, lease_seconds, execution_id });

Deno.test("a claim gives all that a worker needs to know of its task", async () => {
  const { id, project } = await start();
  const { tasks: [task] } = await claimAs("w", id);
  assertEquals(Object.keys(task).toSorted(), [
    "agent_id",
    "agent_type",
    "attempt",
    "execution_id",
    "id",
    "input_data",
    "iteration",
    "lease_expires_at",
    "lease_token",
    "map_index",
    "max_attempts",
    "node_id",
    "project_id",
  ]);
  assertEquals([task.execution_id, task.project_id, task.attempt, task.iteration, task.map_index], [
    id,
    project.id,
    1,
    0,
    null,
  ]);
});

Deno.test("a lease lasts as long as was asked for", async () => {
  const { id } = await start();
  const { tasks: [task] } = await claimAs("w", id, 300);
  const [row] = await db.sql`
    select extract(epoch from lease_expires_at - started_at)::int as seconds, worker_id, status
    from public.agent_tasks where id = ${task.id}`;
  assertEquals([row?.seconds, row?.worker_id, row?.status], [300, "w", "running"]);
});

Deno.test("a lease begins when it is handed out, however long ago its transaction began", async () => {
  const { id } = await start();
  await using tx = await openTransaction(db, "worker");
  await tx.rpc("claim_tasks", { worker_id: "w", agent_types: ["architect"], execution_id: id, lease_seconds: 60 });
  const rows = await tx.sql`
    select lease_expires_at > now() + interval '60 seconds' as is_whole from public.agent_tasks
    where workflow_execution_id = ${id} and status = 'running'`;
  assertEquals(rows.map(({ is_whole }) => is_whole), [true]);
});

Deno.test("every claim has a token of its own, and the database keeps only its sha256", async () => {
  const { id } = await start();
  const { a, b } = await claimAll(db, id);
  assert(a && b);
  assertMatch(a.lease_token, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assertNotEquals(a.lease_token, b.lease_token);
  const [row] = await db.sql`
    select lease_digest = sha256(uuid_send(${a.lease_token}::uuid)) as matches from public.agent_tasks where id = ${a.id}`;
  assertEquals(row?.matches, true);
});

Deno.test("no table anywhere holds a lease token, neither as text nor as bytes", async () => {
  const { id } = await start();
  const { lease_token } = await claimNode(db, id, "a");
  const forms = [lease_token, lease_token.replaceAll("-", ""), new TextEncoder().encode(lease_token).toHex()];
  const tables = await db.sql`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'private')`;
  for (const { name } of tables) {
    const [found] = await db.sql.unsafe(
      `select count(*)::int as n from ${name} as t where t::text like any ($1)`,
      [forms.map((form) => `%${form}%`)],
    );
    assertEquals(found?.n, 0, name);
  }
});

Deno.test("an expired lease is claimed again, with the next attempt and a new token", async () => {
  const { id } = await start();
  const first = await claimNode(db, id, "a");
  await expireLeases(db, id);
  const second = await claimNode(db, id, "a");
  assertEquals([second.id, second.attempt], [first.id, 2]);
  assertNotEquals(second.lease_token, first.lease_token);
});

Deno.test("a lease that has not expired is left alone", async () => {
  const { id } = await start();
  await claimAll(db, id);
  assertEquals(await claimAll(db, id), {});
});

Deno.test("a claim that finds less new work than it asks for takes back what has expired, and says so", async () => {
  const { id } = await start();
  await claimAll(db, id);
  await expireLeases(db, id);
  assertEquals(Object.keys(await claimAll(db, id)).toSorted(), ["a", "b"]);
  const events = await db.sql`
    select data from public.execution_events where workflow_execution_id = ${id} and type = 'task.expired'`;
  assertEquals(events.map((event) => event.data), Array(2).fill({ attempt: 1, worker_id: "a worker" }));
});

Deno.test("whoever's task was taken back has lost the lease, also before another claims it", async () => {
  const { id } = await start();
  const task = await claimNode(db, id, "a");
  await expireLeases(db, id);
  await db.rpc("worker", "claim_tasks", { worker_id: "x", agent_types: ["tester"], execution_id: id });
  assertEquals((await statuses(db, id)).a, "pending");
  for (const [door, fields] of [["complete_task", { status: "completed" }], ["heartbeat_task", {}]] as const) {
    const request = { task_id: task.id, lease_token: task.lease_token, ...fields };
    assertEquals((await db.refusal("worker", door, request)).code, "task_lease_lost", door);
  }
});

Deno.test("where no worker asks, what a scheduler calls takes back what has expired, or fails it on its last attempt", async () => {
  const { id } = await start({ max_attempts: 1 });
  await claimAll(db, id);
  await expireLeases(db, id);
  await db.sql`select private.reclaim_tasks()`;
  assertEquals(await statuses(db, id), { a: "failed", b: "cancelled", c: "cancelled" });
  const other = await start();
  await claimAll(db, other.id);
  await expireLeases(db, other.id);
  await db.sql`select private.reclaim_tasks()`;
  assertEquals(await statuses(db, other.id), { a: "pending", b: "pending", c: "blocked" });
});

Deno.test("an expired task still goes to workers of its own type only", async () => {
  const { id } = await start();
  await claimAll(db, id);
  await expireLeases(db, id);
  const request = { worker_id: "x", agent_types: ["tester"], limit: 10, execution_id: id };
  assertEquals(await db.rpc("worker", "claim_tasks", request), { tasks: [] });
});

Deno.test("a limit counts expired and new tasks together", async () => {
  const { id } = await start();
  await claimAs("w", id);
  await expireLeases(db, id);
  const { tasks } = await db.rpc("worker", "claim_tasks", {
    worker_id: "x",
    agent_types: ["architect"],
    limit: 2,
    execution_id: id,
  });
  assertEquals(tasks.length, 2);
});

Deno.test("a lease that expires on the last attempt fails the task and its execution, and says why", async () => {
  const { id } = await start({ max_attempts: 1 });
  await claimAll(db, id);
  await expireLeases(db, id);
  await claimAll(db, id);
  assertEquals(await statuses(db, id), { a: "failed", b: "cancelled", c: "cancelled" });
  const execution = await executionRow(db, id);
  assertEquals(execution.status, "failed");
  assertStringIncludes(execution.error_message, "a");
});

Deno.test("a dead worker's last task is found by whoever claims next, whatever they ask for", async () => {
  const { id } = await start({ max_attempts: 1 });
  await claimAll(db, id);
  await expireLeases(db, id);
  await db.rpc("worker", "claim_tasks", { worker_id: "w", agent_types: ["debugger"] });
  assertEquals((await executionRow(db, id)).status, "failed");
});

Deno.test("one task of an execution that died does not touch another execution", async () => {
  const { id } = await start({ max_attempts: 1 });
  const other = await start({ max_attempts: 1 });
  await claimAll(db, id);
  await expireLeases(db, id);
  await claimAll(db, id);
  assertEquals((await statuses(db, other.id)).a, "pending");
});

Deno.test("a claim is written down with its attempt and worker", async () => {
  const { id } = await start();
  const task = await claimNode(db, id, "a");
  const events = await db.sql`
    select data from public.execution_events where task_id = ${task.id} and type = 'task.running'`;
  assertEquals(events.map((event) => event.data), [{ attempt: 1, worker_id: "a worker" }]);
});
