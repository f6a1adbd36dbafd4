// retry_execution: a failed execution goes on where it failed, with everything else as it was.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";

const db = await shareDatabase();

const retry = (run: Run, actor: Actor = run.project.editor.actor, fields = {}) =>
  db.rpc(actor, "retry_execution", { execution_id: run.id, ...fields });

/** a is done, b has failed, c was running, d was pending, e waited for them all. */
async function failed(b: Record<string, unknown> = oneAttempt) {
  const pairs: [string, string][] = ["b", "c", "d"].flatMap((id) => [["a", id], [id, "e"]] as [string, string][]);
  const run = await startRun(db, graph(pairs, { b, c: { agent_type: "frontend" }, d: { agent_type: "backend" } }));
  await run.complete("a", { from: "a" });
  await run.claim({ agent_types: ["architect", "frontend"] });
  await run.fail("b", "broken");
  return run;
}

Deno.test("what failed is tried again, what was running or pending is pending, what waited waits", async () => {
  const run = await failed();
  assertEquals(await run.statuses(), { a: "completed", b: "failed", c: "cancelled", d: "cancelled", e: "cancelled" });
  const { execution } = await retry(run);
  assertEquals([execution.status, execution.error_message, execution.completed_at], ["running", null, null]);
  assertEquals(await run.statuses(), { a: "completed", b: "pending", c: "pending", d: "pending", e: "blocked" });
});

Deno.test("a retried execution runs to its end", async () => {
  const run = await failed();
  await retry(run);
  await run.claim();
  for (const name of ["b", "c", "d"]) await run.complete(name, { from: name });
  assertEquals(await run.input("e"), { b: { from: "b" }, c: { from: "c" }, d: { from: "d" } });
  assertEquals((await run.complete("e")).execution.status, "completed");
});

Deno.test("the failed task has its attempts anew, and the errors and inputs of before are kept or gone as they should", async () => {
  const run = await failed({ retry: { max_attempts: 2, backoff_seconds: 0 } });
  await run.fail("b", "again");
  assertEquals(await run.status(), "failed");
  await retry(run);
  const b = await run.row("b");
  assertEquals([b.status, b.error_message, b.input_data], ["pending", null, { a: { from: "a" } }]);
  assertEquals((await run.fail("b")).task.status, "pending");
  assertEquals((await run.fail("b")).task.status, "failed");
});

Deno.test("the waits between the attempts begin anew with them", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { retry: { max_attempts: 4, backoff_seconds: 100 } } }));
  const soon = () => db.sql`update public.agent_tasks set available_at = now() where workflow_execution_id = ${run.id}`;
  for (let attempt = 1; attempt <= 4; attempt++) {
    await soon();
    await run.fail("a");
  }
  await retry(run);
  await run.fail("a");
  const [wait] = await db.sql`
    select available_at <= now() + interval '100 seconds' as is_that_of_the_first
    from public.agent_tasks where workflow_execution_id = ${run.id} and node_id = 'a'`;
  assertEquals(wait, { is_that_of_the_first: true });
});

Deno.test("whoever was at work when it failed keeps no lease, and that attempt does not count", async () => {
  const run = await failed();
  const { id: task_id, lease_token } = await run.lease("c");
  await retry(run);
  assertEquals((await run.row("c")).attempt, 0);
  for (const door of ["heartbeat_task", "complete_task"]) {
    const fields = door === "complete_task" ? { status: "completed" } : {};
    assertEquals((await db.refusal("worker", door, { task_id, lease_token, ...fields })).code, "task_lease_lost");
  }
});

Deno.test("what waited for its delay when it failed waits on until then", async () => {
  const run = await startRun(
    db,
    graph([["a", "later"], ["b", "c"]], { later: { delay_seconds: 1000 }, b: oneAttempt }),
  );
  await run.complete("a");
  const { available_at } = await run.row("later");
  await run.fail("b");
  await retry(run);
  assertEquals([(await run.row("later")).status, (await run.row("later")).available_at], ["pending", available_at]);
  assertEquals(await run.claim(), ["b"]);
});

Deno.test("the state while it runs again is the input, and the fold is right at the end", async () => {
  const run = await startRun(db, graph([["a", "b"]], { b: oneAttempt }), { goal: 1 });
  await run.complete("a", { from: "a" });
  await run.fail("b");
  await retry(run);
  assertEquals((await run.execution()).state, { goal: 1 });
  await run.complete("b", { from: "b" });
  assertEquals((await run.execution()).state, { goal: 1, from: "b" });
});

Deno.test("a retry can fail and be retried again", async () => {
  const run = await failed();
  for (let round = 0; round < 3; round++) {
    await retry(run);
    assertEquals((await run.fail("b")).execution.status, "failed");
  }
});

Deno.test("a wide join and a wide end still count right after a retry", async () => {
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
  const pairs = names.flatMap((name): [string, string][] => [[name, "join"], [name, "__end__"]]);
  const run = await startRun(db, graph([...pairs, ["join", "__end__"]], { n7: oneAttempt }));
  await run.claim();
  for (const name of names.slice(10)) await run.complete(name, name);
  await run.fail("n7");
  await retry(run);
  await run.claim();
  for (const name of names.slice(0, 10)) await run.complete(name, name);
  assertEquals(Object.keys(await run.input("join")).length, 40);
  assertEquals((await run.complete("join")).execution.status, "completed");
});

Deno.test("an element of a map that failed is tried again; those that were done stay done", async () => {
  const definition = graph([["m", "after"]], { m: { type: "map", over: "$.files", ...oneAttempt } });
  const run = await startRun(db, definition, { files: [0, 1, 2] });
  await run.complete("m[0]", "kept");
  await run.fail("m[1]");
  await retry(run);
  assertEquals(await run.statuses(), {
    "m": "waiting",
    "m[0]": "completed",
    "m[1]": "pending",
    "m[2]": "pending",
    "after": "blocked",
  });
  await run.claim();
  await run.complete("m[2]", "two");
  await run.complete("m[1]", "one");
  assertEquals(await run.output("m"), ["kept", "one", "two"]);
});

Deno.test("a map whose list was bad is tried again, and fails again while the list is bad", async () => {
  const run = await startRun(db, graph([["m", "after"]], { m: { type: "map", over: "$.files" } }));
  assertEquals((await retry(run)).execution.status, "failed");
  assertEquals((await run.events()).map((event) => event.type), [
    "execution.started",
    "execution.failed",
    "execution.retried",
    "execution.failed",
  ]);
});

Deno.test("an approval that waited when it failed waits again", async () => {
  const run = await startRun(
    db,
    graph([["a", "end"], ["review", "end"]], { a: oneAttempt, review: { type: "approval" } }),
  );
  await run.fail("a");
  assertEquals((await run.statuses()).review, "cancelled");
  await retry(run);
  assertEquals((await run.statuses()).review, "waiting");
  assertEquals((await run.decide("review", run.project.owner)).task.status, "completed");
});

Deno.test("a loop that had taken all its turns when something else failed is given none", async () => {
  const definition = {
    ...graph([["a", "b"]], { b: oneAttempt }),
    edges: [
      { source: "a", target: "b" },
      { source: "b", target: "a", when: "$.again == true", loop: { max_iterations: 1, on_exhausted: "fail" } },
    ],
  };
  const run = await startRun(db, definition);
  for (const name of ["a", "b", "a#1"]) await run.complete(name, { again: true });
  await run.fail("b#1");
  await db.rpc(run.project.editor.actor, "retry_execution", { execution_id: run.id });
  assertStringIncludes((await run.complete("b#1", { again: true })).execution.error_message, "ran out");
});

Deno.test("a loop that ran out has its turns anew", async () => {
  const definition = {
    ...graph([["a", "b"]]),
    edges: [
      { source: "a", target: "b" },
      { source: "b", target: "a", when: "$.again == true", loop: { max_iterations: 1, on_exhausted: "fail" } },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("a");
  await run.complete("b", { again: true });
  await run.complete("a#1");
  assertStringIncludes((await run.complete("b#1", { again: true })).execution.error_message, "ran out");
  await retry(run);
  assertEquals([await run.status(), (await run.statuses())["a#2"]], ["running", "pending"]);
  await run.complete("a#2");
  assertEquals((await run.complete("b#2", { again: false })).execution.status, "completed");
});

Deno.test("a failure that was passed over is not tried again", async () => {
  const run = await startRun(
    db,
    graph([["a", "c"], ["b", "c"]], { a: { ...oneAttempt, on_failure: "continue" }, b: oneAttempt }),
  );
  await run.fail("a");
  await run.fail("b");
  await retry(run);
  assertEquals(await run.statuses(), { a: "failed", b: "pending", c: "blocked" });
});

for (const on_failure of ["skip", "continue"]) {
  Deno.test(`a failure that may ${on_failure}, but behind which nothing could begin, is tried again`, async () => {
    const pairs: [string, string][] = [["__start__", "short"], ["__start__", "join"], ["short", "join"]];
    const input = { one: "$.text", two: "$.text" };
    const definition = graph(pairs, { short: { ...oneAttempt, on_failure }, join: { input } });
    const run = await startRun(db, definition, { text: "x".repeat(700_000) });
    assertEquals((await run.fail("short")).execution.status, "failed");
    await retry(run);
    assertEquals(await run.statuses(), { short: "pending", join: "blocked" });
    await run.complete("short", { text: "x" });
    assertEquals((await run.complete("join")).execution.status, "completed");
  });
}

Deno.test("an element that may fail, but whose map became too large by it, is tried again", async () => {
  const fields = { type: "map", over: "$.files", on_failure: "continue", ...oneAttempt };
  const run = await startRun(db, graph([["m", "after"]], { m: fields }), { files: [0, 1, 2] });
  await run.claim();
  for (const name of ["m[0]", "m[1]"]) await run.complete(name, "x".repeat(700_000));
  assertEquals((await run.fail("m[2]")).execution.status, "failed");
  await retry(run);
  assertEquals((await run.statuses())["m[2]"], "pending");
});

Deno.test("a task whose worker died on the last attempt is tried again", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: oneAttempt }));
  await run.lease("a");
  await expireLeases(db, run.id);
  await run.claim();
  assertEquals(await run.status(), "failed");
  await retry(run);
  assertEquals(await run.claim(), ["a"]);
});

Deno.test("a retry is written down with who, why and every task it moved", async () => {
  const run = await failed();
  await retry(run, run.project.owner.actor, { reason: "The key was missing." });
  assertEquals((await run.events()).at(-1), {
    type: "execution.retried",
    task: null,
    data: {
      reason: "The key was missing.",
      user_id: run.project.owner.id,
      pending: ["b", "c", "d"],
      blocked: ["e"],
    },
  });
});

for (const ending of ["running", "completed", "cancelled"]) {
  Deno.test(`an execution that is ${ending} is execution_not_failed`, async () => {
    const run = await startRun(db, graph([["a", "__end__"]]));
    if (ending === "completed") await run.complete("a");
    if (ending === "cancelled") await db.rpc("worker", "cancel_execution", { execution_id: run.id });
    const refusal = await db.refusal("worker", "retry_execution", { execution_id: run.id });
    assertEquals([refusal.code, refusal.sqlstate, refusal.details], [
      "execution_not_failed",
      "PT409",
      { status: ending },
    ]);
  });
}

Deno.test("an owner, an editor and a worker may retry; a viewer and an admin who is no member may not", async () => {
  for (const who of ["owner", "editor", "worker"] as const) {
    const run = await failed();
    assertEquals((await retry(run, who === "worker" ? who : run.project[who].actor)).execution.status, "running", who);
  }
  const run = await failed();
  const codeOf = async (actor: Actor) => (await db.refusal(actor, "retry_execution", { execution_id: run.id })).code;
  assertEquals(await codeOf(run.project.viewer.actor), "forbidden");
  assertEquals(await codeOf((await createAdmin(db)).actor), "forbidden");
  assertEquals(await codeOf(run.project.stranger.actor), "execution_not_found");
  assertEquals((await db.refusal("anon", "retry_execution", { execution_id: run.id })).sqlstate, "42501");
});

Deno.test("two retries at once reopen it once", async () => {
  const run = await failed();
  const results = await Promise.allSettled([1, 2].map(() => retry(run)));
  const outcomes = results.map((result) => result.status === "fulfilled" ? "done" : result.reason.hint).toSorted();
  assertEquals(outcomes, ["done", "execution_not_failed"]);
});

Deno.test("an execution that does not exist is execution_not_found, and a long reason is refused", async () => {
  const unknown = await db.refusal("worker", "retry_execution", { execution_id: crypto.randomUUID() });
  assertEquals(unknown.code, "execution_not_found");
  const run = await failed();
  const long = await db.refusal("worker", "retry_execution", { execution_id: run.id, reason: "x".repeat(10_001) });
  assertEquals(long.code, "validation_failed");
});

Deno.test("nothing is retried in an archived project", async () => {
  const run = await failed();
  await db.sql`update public.projects set status = 'archived' where id = ${run.project.id}`;
  assertEquals((await db.refusal("worker", "retry_execution", { execution_id: run.id })).code, "project_not_active");
});
