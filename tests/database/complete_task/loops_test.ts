// complete_task: a loop edge sends its body round again, so often and no more, and what leaves the body waits for the
// last turn.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";

const db = await shareDatabase();

type Edge = [string, string, Record<string, unknown>?];

const looped = (edges: Edge[], options: Record<string, Record<string, unknown>> = {}, more = {}) => ({
  ...graph(edges.map(([source, target]) => [source, target]), options),
  edges: edges.map(([source, target, fields]) => ({ source, target, ...fields })),
  ...more,
});

/** write → test, back to write while the tests fail, then ship. */
const retried = (loop: Record<string, unknown>) =>
  looped([
    ["write", "test"],
    ["test", "write", { when: "$.passed == false", loop }],
    ["test", "ship"],
  ]);

const turn = async (run: Run, iteration: number, passed: boolean) => {
  const suffix = iteration > 0 ? `#${iteration}` : "";
  await run.complete(`write${suffix}`, { draft: iteration });
  return await run.complete(`test${suffix}`, { passed });
};

Deno.test("a loop that is taken makes its body anew, one iteration on", async () => {
  const run = await startRun(db, retried({ max_iterations: 2 }));
  const { unlocked } = await turn(run, 0, false);
  assertEquals(unlocked.map((task: { node_id: string; iteration: number }) => [task.node_id, task.iteration]), [[
    "write",
    1,
  ]]);
  assertEquals(await run.statuses(), {
    "write": "completed",
    "write#1": "pending",
    "test": "completed",
    "test#1": "blocked",
    "ship": "blocked",
  });
});

Deno.test("a turn's first task is given the output of the loop's source", async () => {
  const run = await startRun(db, retried({ max_iterations: 2 }), { goal: 1 });
  assertEquals(await run.input("write"), { goal: 1 });
  await turn(run, 0, false);
  assertEquals(await run.input("write#1"), { test: { passed: false } });
});

Deno.test("what leaves a loop waits until the loop has ended, then reads its last turn", async () => {
  const run = await startRun(db, retried({ max_iterations: 5 }));
  await turn(run, 0, false);
  await turn(run, 1, true);
  assertEquals((await run.statuses()).ship, "pending");
  assertEquals(await run.input("ship"), { test: { passed: true } });
  assertEquals(await run.state(), { draft: 1, passed: true });
  assertEquals((await run.complete("ship", {})).execution.status, "completed");
});

Deno.test("a loop is taken max_iterations times at most: the body runs once more than that", async () => {
  const run = await startRun(db, retried({ max_iterations: 2 }));
  for (const iteration of [0, 1, 2]) await turn(run, iteration, false);
  const after = await run.statuses();
  assertEquals([after["test#2"], after["test#3"], after.ship], ["completed", undefined, "pending"]);
});

Deno.test("a loop that must not run out fails the execution when it does, and says which", async () => {
  const run = await startRun(db, retried({ max_iterations: 1, on_exhausted: "fail" }));
  await turn(run, 0, false);
  const { execution } = await turn(run, 1, false);
  assertEquals(execution.status, "failed");
  assertStringIncludes(execution.error_message, "loop from test ran out after 1 turn");
  assertEquals((await run.statuses()).ship, "cancelled");
});

Deno.test("a loop that must not run out does no harm when its condition is false in time", async () => {
  const run = await startRun(db, retried({ max_iterations: 1, on_exhausted: "fail" }));
  await turn(run, 0, false);
  assertEquals((await turn(run, 1, true)).execution.status, "running");
});

Deno.test("a node may loop on itself", async () => {
  const run = await startRun(db, looped([["a", "a", { when: "$.n < 3", loop: { max_iterations: 9 } }], ["a", "b"]]));
  for (const [index, name] of ["a", "a#1", "a#2"].entries()) await run.complete(name, { n: index + 1 });
  assertEquals((await run.statuses()).b, "pending");
  assertEquals(await run.input("a#2"), { a: { n: 2 } });
});

Deno.test("a loop may be chosen by label", async () => {
  const run = await startRun(
    db,
    looped([["a", "a", { label: "again", loop: { max_iterations: 9 } }], ["a", "b", { label: "done" }]]),
  );
  await run.complete("a", {}, { label: "again" });
  assertEquals((await run.statuses())["a#1"], "pending");
  await run.complete("a#1", {}, { label: "done" });
  assertEquals((await run.statuses()).b, "pending");
});

Deno.test("a label that chose a loop which is used up leads nowhere else", async () => {
  const run = await startRun(
    db,
    looped([["a", "a", { label: "again", loop: { max_iterations: 1 } }], ["a", "b", { label: "done" }]]),
  );
  await run.complete("a", {}, { label: "again" });
  const { execution } = await run.complete("a#1", {}, { label: "again" });
  assertEquals([execution.status, (await run.statuses()).b], ["completed", "skipped"]);
});

Deno.test("of two loops of one node the first that holds is taken", async () => {
  const run = await startRun(
    db,
    looped([
      ["a", "b"],
      ["b", "b", { when: "$.n == 1", loop: { max_iterations: 5 } }],
      ["b", "a", { loop: { max_iterations: 1 } }],
    ]),
  );
  await run.complete("a");
  await run.complete("b", { n: 1 });
  assertEquals((await run.statuses())["b#1"], "pending");
  await run.complete("b#1", { n: 2 });
  assertEquals((await run.statuses())["a#1"], "pending");
  await run.complete("a#1");
  const { execution } = await run.complete("b#2", { n: 2 });
  assertEquals(execution.status, "completed");
});

Deno.test("an inner loop has all its turns again in every turn of the outer one", async () => {
  const run = await startRun(
    db,
    looped([
      ["a", "b"],
      ["b", "b", { when: "$.inner == true", loop: { max_iterations: 1 } }],
      ["b", "c"],
      ["c", "a", { when: "$.outer == true", loop: { max_iterations: 1 } }],
    ]),
  );
  await run.complete("a");
  await run.complete("b", { inner: true });
  await run.complete("b#1", { inner: true });
  await run.complete("c", { outer: true });
  await run.complete("a#1");
  await run.complete("b#2", { inner: true });
  assertEquals((await run.statuses())["b#3"], "pending");
  await run.complete("b#3", { inner: true });
  assertEquals((await run.complete("c#1", { outer: true })).execution.status, "completed");
});

Deno.test("the state folds turn by turn, whatever the order of the graph's nodes inside one", async () => {
  const run = await startRun(
    db,
    looped(
      [["a", "b"], ["b", "a", { when: "$.again == true", loop: { max_iterations: 3 } }], ["b", "c"]],
      {},
      { state: { log: "append" } },
    ),
  );
  await run.complete("a", { log: "a0", last: "a0" });
  await run.complete("b", { log: "b0", again: true });
  await run.complete("a#1", { log: "a1", last: "a1" });
  await run.complete("b#1", { log: "b1", again: false });
  await run.complete("c", { log: "c" });
  assertEquals((await run.execution()).state, { log: ["a0", "b0", "a1", "b1", "c"], last: "a1", again: false });
});

Deno.test("an edge into a loop from outside keeps its outcome in every turn", async () => {
  const run = await startRun(
    db,
    looped([
      ["outside", "b"],
      ["a", "b"],
      ["b", "a", { when: "$.again == true", loop: { max_iterations: 1 } }],
    ]),
  );
  await run.complete("outside", { from: "outside" });
  await run.complete("a", {});
  await run.complete("b", { again: true });
  await run.complete("a#1", {});
  assertEquals(await run.input("b#1"), { outside: { from: "outside" }, a: {} });
});

Deno.test("a branch out of the middle of a loop waits for the loop's end, and the latest turn decides it", async () => {
  const run = await startRun(
    db,
    looped([
      ["a", "b"],
      ["a", "aside", { when: "$.urgent == true" }],
      ["b", "a", { when: "$.again == true", loop: { max_iterations: 1 } }],
    ]),
  );
  await run.complete("a", { urgent: true });
  assertEquals((await run.statuses()).aside, "blocked");
  await run.complete("b", { again: true });
  await run.complete("a#1", { urgent: false });
  await run.complete("b#1", { again: false });
  assertEquals((await run.statuses()).aside, "skipped");
});

Deno.test("a loop whose source is skipped ends", async () => {
  const run = await startRun(
    db,
    looped([
      ["a", "b", { when: "$.go == true" }],
      ["b", "a", { loop: { max_iterations: 3 } }],
      ["a", "c"],
    ]),
  );
  await run.complete("a", { go: false });
  assertEquals(await run.statuses(), { a: "completed", b: "skipped", c: "pending" });
});

Deno.test("the events of a turn name the new tasks of its body", async () => {
  const run = await startRun(db, retried({ max_iterations: 1 }));
  await turn(run, 0, false);
  const told = (await run.events()).at(-1);
  assertEquals([told?.type, told?.task, told?.data], ["task.completed", "test", {
    attempt: 1,
    blocked: ["test#1", "write#1"],
    pending: ["write#1"],
  }]);
});

Deno.test("a node that was led to once from outside a loop is not called again by turns that do not lead to it", async () => {
  const run = await startRun(
    db,
    looped([
      ["router", "a"],
      ["router", "b"],
      ["a", "b", { label: "b" }],
      ["a", "end", { label: "end" }],
      ["b", "a", { loop: { max_iterations: 3 } }],
    ]),
  );
  await run.complete("router");
  await run.complete("a", {}, { label: "end" });
  await run.complete("b");
  await run.complete("a#1", {}, { label: "end" });
  const { "b#1": again, end } = await run.statuses();
  assertEquals([again, end], ["skipped", "pending"]);
});

Deno.test("loops from two places back to branches side by side each repeat their own branch", async () => {
  const run = await startRun(
    db,
    looped([
      ["design", "integrate"],
      ["api", "integrate"],
      ["integrate", "test"],
      ["test", "review"],
      ["design", "page", { label: "page" }],
      ["test", "design", { when: '$.test == "again"', loop: { max_iterations: 2 } }],
      ["review", "api", { when: '$.review == "again"', loop: { max_iterations: 2 } }],
    ]),
  );
  await run.complete("design", {}, { label: "page" });
  await run.complete("api");
  await run.complete("integrate");
  await run.complete("test");
  // The review may have the tests done anew, and these the design: what that chose is not told before.
  assertEquals((await run.statuses()).page, "blocked");
  await run.complete("review", { review: "again" });
  await run.complete("api#1");
  await run.complete("integrate#1");
  await run.complete("test#1", { test: "again" });
  await run.complete("design#1", {}, { label: "page" });
  await run.complete("integrate#2");
  await run.complete("test#2", { test: "good" });
  assertEquals((await run.statuses()).page, "blocked");
  await run.complete("review#1", { review: "good" });
  assertEquals((await run.statuses()).page, "pending");
});

Deno.test("a loop may begin a turn whose first node still waits for what comes from outside", async () => {
  const run = await startRun(db, {
    nodes: [
      { id: "slow", agent_type: "architect" },
      { id: "a", agent_type: "architect" },
      { id: "b", agent_type: "architect", join: "any" },
    ],
    edges: [
      { source: "__start__", target: "slow" },
      { source: "__start__", target: "b" },
      { source: "slow", target: "a" },
      { source: "a", target: "b" },
      { source: "b", target: "a", loop: { max_iterations: 1 } },
    ],
  });
  await run.complete("b");
  assertEquals((await run.statuses())["a#1"], "blocked");
  await run.complete("slow");
  assertEquals((await run.statuses())["a#1"], "pending");
});
