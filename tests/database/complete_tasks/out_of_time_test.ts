// A statement has only so much time: what takes all of it costs no other report, and no other claim, anything.
import { assertEquals } from "@std/assert";
import { type Actor, type Answer, become, callDoor, shareDatabase } from "../../support/database.ts";
import {
  type Claimed,
  createProject,
  executionRow,
  expireLeases,
  graph,
  type Project,
  report,
} from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";

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
const inASecond = (actor: Actor, door: string, args: Record<string, unknown>): Promise<Answer> =>
  db.as("superuser", async (tx) => {
    const [backend] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await tx`set local statement_timeout = '1s'`;
    await become(tx, actor);
    const guard = setInterval(() => void db.sql`select pg_cancel_backend(${backend?.pid ?? 0})`.execute(), 5000);
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

Deno.test("a claim takes back no more tasks of dead workers once one of them took all the time", async () => {
  const { runs } = await twoPoisoned();
  for (const run of runs) await expireLeases(db, run.id);
  const other = await startRun(db, graph([["x", "y"]]));
  const broken = async () => (await Promise.all(runs.map(stateOf))).filter((state) => state === BROKEN_OFF).length;
  const { tasks } = await inASecond("worker", "claim_tasks", { ...claim, execution_id: other.id });
  assertEquals([tasks.length, await broken()], [1, 1]);
  await inASecond("worker", "claim_tasks", { ...claim, execution_id: other.id });
  assertEquals(await broken(), 2);
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
