// A statement has only so much time: what takes all of it costs no other report, and no other claim, anything.
import { assertEquals } from "@std/assert";
import { type Actor, type Answer, become, callDoor, shareDatabase } from "../../support/database.ts";
import {
  type Claimed,
  createProject,
  createWorkflow,
  executionRow,
  expireLeases,
  graph,
  type Project,
  RECLAIM_SEEDS,
  report,
} from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";
import { openTransaction, untilAtWorkFor } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A condition that looks at every list of four numbers of a list of a thousand. */
const endless = ["@ == 0", "1", "2", "3"].reduce((condition) => `exists($.list[*] ? (${condition}))`);
const input = { list: Array.from({ length: 1000 }, (_, index) => index + 1) };
const poisoned = {
  ...graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }),
  edges: [{ source: "a", target: "b", when: endless }],
};
const BROKEN_OFF = "What follows in this workflow took longer than a statement may.";

/** Two executions with such a condition behind a task that runs, and the leases of both tasks. */
async function twoPoisoned(project?: Project): Promise<{ runs: [Run, Run]; tasks: [Claimed, Claimed] }> {
  const first = await startRun(db, poisoned, input, project);
  const second = await startRun(db, poisoned, input, project);
  return { runs: [first, second], tasks: [await first.lease("a"), await second.lease("a")] };
}

/** Calls a door as a statement that has a second. One that then goes on without any limit is cancelled again and again. */
const inASecond = (
  actor: Actor,
  door: string,
  args: Record<string, unknown>,
  seed = RECLAIM_SEEDS.after,
): Promise<Answer> =>
  db.as("superuser", async (tx) => {
    const [backend] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await tx`select setseed(${seed})`;
    await tx`set local statement_timeout = '1s'`;
    await become(tx, actor);
    const guard = setInterval(() => void db.sql`select pg_cancel_backend(${backend?.pid ?? 0})`.execute(), 20_000);
    return await callDoor(tx, door, args).finally(() => clearInterval(guard));
  });

const codes = (answer: Answer): string[] => answer.results.map((one: Answer) => one.ok ? "ok" : one.error.code);
const failed = { status: "failed", error_message: "on purpose" };
const claim = { worker_id: "w", agent_types: ["architect"], limit: 9 };
const stateOf = async ({ id }: Run) => (await executionRow(db, id)).error_message ?? "running";

Deno.test("behind a failed report that took all the time, those of its batch are answered unavailable and not applied", async () => {
  const { runs, tasks: [first, second] } = await twoPoisoned();
  const innocent = await startRun(db, graph([["x", "y"]]));
  const x = await innocent.lease("x");
  const answer = await inASecond("worker", "complete_tasks", {
    results: [report(first, failed), report(second, failed), report(x, { messages: [], status: "failed" })],
  });
  assertEquals(codes(answer), ["ok", "unavailable", "unavailable"]);
  assertEquals(await Promise.all(runs.map(stateOf)), [BROKEN_OFF, "running"]);
  assertEquals((await innocent.statuses()).x, "running");
});

Deno.test("a completion that takes all the time is unavailable by itself, and what was applied before it stays", async () => {
  const { tasks: [slow] } = await twoPoisoned();
  const innocent = await startRun(db, graph([["x", "y"]]));
  const x = await innocent.lease("x");
  const results = [report(x, { status: "failed" }), report(slow)];
  assertEquals(codes(await inASecond("worker", "complete_tasks", { results })), ["ok", "unavailable"]);
  assertEquals((await innocent.statuses()).x, "pending");
});

Deno.test("a failed report that took all the time and brings an artifact that is refused leaves none for the others", async () => {
  const { runs, tasks: [first, second] } = await twoPoisoned();
  const artifacts = [{ file_path: "../out", content: "x" }];
  const answer = await inASecond("worker", "complete_tasks", {
    results: [report(first, { ...failed, artifacts }), report(second, failed)],
  });
  assertEquals(codes(answer), ["unavailable", "unavailable"]);
  assertEquals(await Promise.all(runs.map(stateOf)), ["running", "running"]);
});

const brokenOff = async (runs: Run[]) =>
  (await Promise.all(runs.map(stateOf))).filter((state) => state === BROKEN_OFF).length;

for (const [when, seed] of Object.entries(RECLAIM_SEEDS)) {
  Deno.test(`a claim that takes back tasks of dead workers ${when} it looks for work stops at the one that took all the time`, async () => {
    const project = await createProject(db);
    const { runs } = await twoPoisoned(project);
    for (const run of runs) await expireLeases(db, run.id);
    for (const expected of [1, 2]) {
      await inASecond("worker", "claim_tasks", { ...claim, agent_types: ["tester"], project_id: project.id }, seed);
      assertEquals(await brokenOff(runs), expected);
    }
  });
}

Deno.test("a claim that finds something to do evaluates nothing of others", async () => {
  const { runs } = await twoPoisoned();
  for (const run of runs) await expireLeases(db, run.id);
  const busy = await startRun(db, graph([["x", "y"]], { x: { agent_type: "frontend" } }));
  const { tasks } = await inASecond("worker", "claim_tasks", { ...claim, agent_types: ["frontend"] });
  assertEquals([tasks.map((task: Answer) => task.execution_id), await brokenOff(runs)], [[busy.id], 0]);
});

Deno.test("a claim that names another project evaluates nothing of others, however little it finds", async () => {
  const { runs } = await twoPoisoned();
  for (const run of runs) await expireLeases(db, run.id);
  const { id } = await createProject(db);
  await inASecond("worker", "claim_tasks", { ...claim, project_id: id });
  assertEquals(await brokenOff(runs), 0);
});

Deno.test("a claim of all projects that finds nothing to do takes one such task back, and so nothing is stuck", async () => {
  const { runs } = await twoPoisoned();
  await db.sql`update public.agent_tasks set lease_expires_at = now() + interval '1 hour' where status = 'running'`;
  for (const run of runs) await expireLeases(db, run.id);
  for (const expected of [1, 2]) {
    await inASecond("worker", "claim_tasks", { ...claim, agent_types: ["debugger"] });
    assertEquals(await brokenOff(runs), expected);
  }
});

Deno.test("while one worker's claim evaluates what is others', no second one does", async () => {
  await db.sql`update public.agent_tasks set lease_expires_at = now() + interval '1 hour' where status = 'running'`;
  const conditional = { ...poisoned, edges: [{ source: "a", target: "b", when: "$.list[0] == 1" }] };
  const runs = [await startRun(db, conditional, input), await startRun(db, conditional, input)];
  for (const run of runs) {
    await run.claim();
    await expireLeases(db, run.id);
  }
  const taken = async () =>
    (await Promise.all(runs.map((run) => run.row("a")))).filter((a) => a.status === "failed").length;
  const idle = { ...claim, agent_types: ["debugger"] };
  await using first = await openTransaction(db, "worker");
  await first.rpc("claim_tasks", idle);
  await db.rpc("worker", "claim_tasks", idle);
  await first.commit();
  assertEquals(await taken(), 1);
  await db.rpc("worker", "claim_tasks", idle);
  assertEquals(await taken(), 2);
});

Deno.test("a failure that goes on without conditions is taken back by a claim that is busy elsewhere", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }));
  await run.claim();
  await expireLeases(db, run.id);
  await startRun(db, graph([["x", "y"]], { x: { agent_type: "backend" } }));
  const { tasks } = await db.rpc("worker", "claim_tasks", { ...claim, agent_types: ["backend"] });
  assertEquals([tasks.length, await run.statuses()], [1, { a: "failed", b: "pending" }]);
});

Deno.test("of the executions around a workflow that is deleted none is evaluated once one took all the time", async () => {
  const project = await createProject(db);
  const inner = await createWorkflow(db, project, graph([["x", "y"]]));
  await db.rpc("worker", "publish_workflow", { workflow_id: inner });
  const around = (when: string) => ({
    ...graph([["sub", "after"]], { sub: { type: "workflow", workflow_id: inner, on_failure: "continue" } }),
    edges: [{ source: "sub", target: "after", when }],
  });
  // In whichever order they are deleted, one of the quick ones comes after the slow one.
  const quick = "$.list[0] == 1";
  const runs: Run[] = [];
  for (const when of [quick, endless, quick]) runs.push(await startRun(db, around(when), input, project));
  await db.as("superuser", async (tx) => {
    await tx`set local statement_timeout = '1s'`;
    await tx`delete from public.workflows where id = ${inner}`;
  });
  assertEquals((await Promise.all(runs.map(stateOf))).toSorted(), [BROKEN_OFF, BROKEN_OFF, "running"]);
});

Deno.test("a person's claim takes back what is theirs to edit and nothing of strangers", async () => {
  const project = await createProject(db);
  const own = await startRun(db, graph([["x", "y"]]), {}, project);
  await own.lease("x");
  const { runs } = await twoPoisoned();
  for (const run of [own, ...runs]) await expireLeases(db, run.id);
  const { tasks } = await inASecond(project.editor.actor, "claim_tasks", { ...claim, execution_id: own.id });
  assertEquals(tasks.map((task: Claimed) => task.node_id), ["x"]);
  assertEquals(await Promise.all(runs.map(stateOf)), ["running", "running"]);
});

Deno.test("a failed report that begins late in its batch ends no execution for want of time, and can be sent again", async () => {
  const first = await startRun(db, graph([["x", "y"]]));
  const x = await first.lease("x");
  const late = await startRun(db, poisoned, input);
  const a = await late.lease("a");
  await using holder = await openTransaction(db, "superuser");
  await holder.sql`select from public.agent_tasks where id = ${x.id} for update`;
  await using batch = await openTransaction(db, "worker");
  await batch.sql`set local statement_timeout = '3s'`;
  const answer = batch.rpc("complete_tasks", { results: [report(x, { status: "failed" }), report(a, failed)] });
  await untilAtWorkFor(db, batch, 1600);
  await holder.commit();
  assertEquals(codes(await answer), ["ok", "unavailable"]);
  await batch.commit();
  assertEquals([await stateOf(late), (await late.row("a")).status], ["running", "running"]);
  assertEquals(codes(await inASecond("worker", "complete_tasks", { results: [report(a, failed)] })), ["ok"]);
  assertEquals(await stateOf(late), BROKEN_OFF);
});
