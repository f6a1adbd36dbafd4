// claim_tasks: what a claim takes back of dead workers it neither waits for nor begins when its time is nearly over.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, expireLeases, graph, type Project, RECLAIM_SEEDS } from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";
import { openTransaction, untilAtWorkFor, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const claim = { worker_id: "w", limit: 9 };

/** An execution with a task that has one attempt and runs, beside one for a worker of another type. */
async function lastAttempt(beside: string): Promise<Run> {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]], { a: oneAttempt, b: { agent_type: beside } }));
  await run.claim({ agent_types: ["architect"], limit: 1 });
  return run;
}

Deno.test("a claim does not wait for what another is just claiming to take back the task of a dead worker", async () => {
  const run = await lastAttempt("tester");
  await using other = await openTransaction(db, "worker");
  await other.rpc("claim_tasks", { ...claim, agent_types: ["tester"], execution_id: run.id });
  await expireLeases(db, run.id);
  await using asking = await openTransaction(db, "worker");
  await asking.sql`set local statement_timeout = '5s'`;
  await asking.rpc("claim_tasks", { ...claim, agent_types: ["backend"], execution_id: run.id });
  await asking.commit();
  assertEquals(await run.statuses(), { a: "running", b: "pending", c: "blocked" });
  await other.commit();
  await run.claim({ agent_types: ["backend"] });
  assertEquals(await run.statuses(), { a: "failed", b: "cancelled", c: "cancelled" });
});

Deno.test("what a claim would have to wait for does not keep it from taking back the others", async () => {
  const [busy, other] = [await lastAttempt("tester"), await lastAttempt("tester")];
  await using holder = await openTransaction(db, "worker");
  await holder.rpc("claim_tasks", { ...claim, agent_types: ["tester"], execution_id: busy.id });
  for (const run of [busy, other]) await expireLeases(db, run.id);
  await busy.claim({ agent_types: ["backend"] });
  assertEquals([await busy.status(), await other.status()], ["running", "failed"]);
});

Deno.test("two claims that take back what fails the other's execution do not wait for each other in a circle", async () => {
  const [one, two] = [await lastAttempt("tester"), await lastAttempt("debugger")];
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("claim_tasks", { ...claim, agent_types: ["tester"], execution_id: one.id });
  await second.rpc("claim_tasks", { ...claim, agent_types: ["debugger"], execution_id: two.id });
  for (const run of [one, two]) await expireLeases(db, run.id);
  const more = { ...claim, agent_types: ["backend"] };
  const asking = first.rpc("claim_tasks", { ...more, execution_id: two.id });
  await waitUntilBlocked(db, first, asking);
  const answers = await Promise.allSettled([asking, second.rpc("claim_tasks", { ...more, execution_id: one.id })]);
  assertEquals(answers.map(({ status }) => status), ["fulfilled", "fulfilled"]);
});

/** A condition that takes longer than any statement here. */
const endless = ["@ == 0", "1", "2", "3"].reduce((condition) => `exists($.list[*] ? (${condition}))`);

/** An execution behind whose last failure such a condition is asked; its task runs. */
async function poisoned(project: Project): Promise<Run> {
  const definition = {
    ...graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }),
    edges: [{ source: "a", target: "b", when: endless }],
  };
  const list = Array.from({ length: 1000 }, (_, index) => index + 1);
  const run = await startRun(db, definition, { list }, project);
  await run.claim();
  return run;
}

Deno.test("a claim that has used half of its time begins with no failure of a dead worker's task", async () => {
  const project = await createProject(db);
  await db.sql`update public.projects set settings = '{"concurrency_limit": 9}' where id = ${project.id}`;
  const run = await poisoned(project);
  const asked = { ...claim, agent_types: ["tester"], project_id: project.id };
  await using other = await openTransaction(db, "worker");
  await other.rpc("claim_tasks", { ...asked, execution_id: run.id });
  await expireLeases(db, run.id);
  await using late = await openTransaction(db, "worker");
  // One that takes back before it looks for work would begin with it in time.
  await late.sql`select setseed(${RECLAIM_SEEDS.after})`;
  await late.sql`set local statement_timeout = '5s'`;
  const answer = late.rpc("claim_tasks", asked);
  await untilAtWorkFor(db, late, 2600);
  await other.commit();
  const { tasks } = await answer;
  await late.commit();
  assertEquals([tasks, await run.status(), (await run.row("a")).status], [[], "running", "running"]);
});

Deno.test("who cancels a claim while it takes back the task of a dead worker ends no execution", async () => {
  const project = await createProject(db);
  const run = await poisoned(project);
  await expireLeases(db, run.id);
  await using claiming = await openTransaction(db, "worker");
  await claiming.sql`set local statement_timeout = '60s'`;
  const answer = claiming.rpc("claim_tasks", { ...claim, agent_types: ["tester"], project_id: project.id });
  const refused = answer.then(() => "done", (error) => error.code);
  await untilAtWorkFor(db, claiming, 500);
  await db.sql`select pg_cancel_backend(${claiming.pid})`;
  assertEquals(await refused, "57014");
  await claiming.rollback();
  assertEquals([await run.status(), (await run.row("a")).status], ["running", "running"]);
});
