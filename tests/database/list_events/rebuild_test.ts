// list_events: the log alone is enough to know the status of every task at any moment.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, expireLeases, graph } from "../../support/factories.ts";
import { openTransaction } from "../../support/transactions.ts";
import { oneAttempt, type Run, runOf, startRun } from "../../support/run.ts";

const db = await shareDatabase();

/** The status that the subject of an event has come to; the others are named in its data. */
const SUBJECT: Record<string, string> = {
  "task.running": "running",
  "task.completed": "completed",
  "task.retry": "pending",
  "task.expired": "pending",
  "task.released": "pending",
  "task.failed": "failed",
  "task.skipped": "skipped",
};

/** A step may name a new task twice: it is made blocked, and may begin at once. So the lists are read in this order. */
const LISTS = ["blocked", "pending", "waiting", "completed", "failed", "skipped", "cancelled"];

/** The statuses of the tasks of an execution, from nothing but its events. */
async function rebuilt(run: Run): Promise<Record<string, string>> {
  const found = new Map<string, { status: string; id: number }>();
  const ids = await db.sql<{ id: string }[]>`
    select id from public.execution_events where workflow_execution_id = ${run.id} order by transaction_id, id`;
  for (const [index, { type, task, data }] of (await run.events()).entries()) {
    const id = Number(ids[index]?.id);
    const tell = (name: string, status: string) => {
      // The log is in the order in which transactions began to write; who had the task last has the greater id.
      if (id >= (found.get(name)?.id ?? 0)) found.set(name, { status, id });
    };
    for (const status of LISTS) for (const name of (data[status] ?? []) as string[]) tell(name, status);
    const status = SUBJECT[type];
    if (task && status) tell(task, status);
  }
  // What no event has named yet has been blocked since the start.
  return Object.fromEntries(
    Object.keys(await run.statuses()).map((name) => [name, found.get(name)?.status ?? "blocked"]),
  );
}

/** Checks the log against the tasks. */
async function assertToldSoFar(run: Run, when: string): Promise<void> {
  assertEquals(await rebuilt(run), await run.statuses(), when);
}

/** Takes the steps one by one and checks the log after each. */
async function assertTold(run: Run, steps: ((run: Run) => Promise<unknown>)[]): Promise<void> {
  await assertToldSoFar(run, "at the start");
  for (const [index, step] of steps.entries()) {
    await step(run);
    await assertToldSoFar(run, `after step ${index + 1}`);
  }
}

const complete = (name: string, output: unknown = {}, fields = {}) => (run: Run) => run.complete(name, output, fields);
const fail = (name: string) => (run: Run) => run.fail(name);
const claim = (run: Run) => run.claim();

const looped = {
  ...graph([["a", "b"], ["b", "c"], ["b", "d"], ["c", "e"], ["d", "e"]], { e: { join: "any" } }),
  edges: [
    { source: "a", target: "b" },
    { source: "b", target: "c", when: "$.c == true" },
    { source: "b", target: "d" },
    { source: "c", target: "e" },
    { source: "d", target: "e" },
    { source: "e", target: "a", label: "again", loop: { max_iterations: 2 } },
  ],
};

Deno.test("with conditions, loops and any-joins", async () => {
  await assertTold(await startRun(db, looped), [
    claim,
    complete("a"),
    complete("b", { c: true }),
    claim,
    complete("d"),
    complete("e", {}, { label: "again" }),
    complete("a#1"),
    complete("b#1", { c: false }),
    complete("d#1"),
    complete("e#1", {}, { label: "again" }),
    complete("a#2"),
    complete("b#2", { c: true }),
    complete("c#2"),
    complete("e#2", {}, { label: "again" }),
  ]);
});

Deno.test("with retries, expired leases, releases and a failure for good, then a retry of it all", async () => {
  const retry = { max_attempts: 2, backoff_seconds: 0 };
  const run = await startRun(db, graph([["a", "c"], ["b", "c"], ["c", "d"]], { a: { retry }, b: { retry } }));
  await assertTold(run, [
    claim,
    fail("a"),
    () => expireLeases(db, run.id),
    claim,
    async () => {
      const { id: task_id, lease_token } = await run.lease("b");
      await db.rpc("worker", "release_task", { task_id, lease_token });
    },
    fail("a"),
    () => db.rpc("worker", "retry_execution", { execution_id: run.id }),
    claim,
    complete("a"),
    () => expireLeases(db, run.id),
    claim,
    () => expireLeases(db, run.id),
    claim,
    claim,
  ]);
});

Deno.test("with maps whose elements fail, and approvals", async () => {
  const definition = graph([["m", "review"], ["review", "ship"], ["review", "drop"]], {
    m: { type: "map", over: "$.files", on_failure: "skip", ...oneAttempt },
    review: { type: "approval", approvals: 2 },
  });
  const run = await startRun(db, {
    ...definition,
    edges: definition.edges.map((edge) => edge.target === "drop" ? { ...edge, label: "rejected" } : edge),
  }, { files: [1, 2, 3] });
  await assertTold(run, [
    claim,
    complete("m[2]"),
    fail("m[0]"),
    complete("m[1]"),
    () => run.decide("review", run.project.owner),
    () => run.decide("review", run.project.editor),
    complete("ship"),
  ]);
});

Deno.test("with a workflow inside that is cancelled, a failure that is passed over, and a cancellation", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["x", "y"]]));
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  const definition = graph([["inside", "end"], ["b", "end"], ["end", "last"]], {
    inside: { type: "workflow", workflow_id, on_failure: "continue" },
    b: { ...oneAttempt, on_failure: "skip" },
  });
  const run = await startRun(db, definition, {}, project);
  const [child] = await db.sql`
    select id from public.workflow_executions where parent_task_id = ${(await run.row("inside")).id}`;
  const inner = runOf(db, project, child?.id);
  await assertTold(run, [
    async () => {
      await inner.complete("x");
      await db.rpc("worker", "cancel_execution", { execution_id: inner.id });
      await assertToldSoFar(inner, "inside");
    },
    fail("b"),
    claim,
    () => db.rpc("worker", "cancel_execution", { execution_id: run.id }),
  ]);
});

Deno.test("in a fork, from its own events alone", async () => {
  const run = await startRun(db, looped);
  for (const step of [complete("a"), complete("b", { c: false }), complete("d")]) await step(run);
  const { execution } = await db.rpc("worker", "fork_execution", { execution_id: run.id, from_node: "e" });
  await assertTold(runOf(db, run.project, execution.id), [claim, complete("a"), complete("b", { c: true }), claim]);
});

Deno.test("when a bad list or an empty one ends a map in the step that reached it", async () => {
  for (const files of [[], "none"]) {
    const run = await startRun(db, graph([["a", "m"], ["m", "b"]], { m: { type: "map", over: "$.files" } }));
    await assertTold(run, [complete("a", { files })]);
  }
});

Deno.test("when agents and the elements of a map begin with the execution", async () => {
  const run = await startRun(db, graph([["a", "z"], ["m", "z"]], { m: { type: "map", over: "$.files" } }), {
    files: [1, 2],
  });
  await assertTold(run, [claim, complete("a"), complete("m[0]"), complete("m[1]")]);
});

Deno.test("when a cancellation that began to write before a claim meets the task after it", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]]));
  await using canceller = await openTransaction(db, run.project.owner.actor);
  await canceller.sql`select pg_current_xact_id()`;
  await run.claim();
  await canceller.rpc("cancel_execution", { execution_id: run.id });
  await canceller.commit();
  const order = (await run.events()).map(({ type }) => type);
  assertEquals(order.indexOf("execution.cancelled") < order.indexOf("task.running"), true, order.join());
  await assertToldSoFar(run, "afterwards");
});
