// complete_task: a map makes one task per element of a list, and gathers their outputs in the list's order.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";

const db = await shareDatabase();

/** build is a map over $.files; then comes after. */
const mapped = (fields: Record<string, unknown> = {}, more = {}) => ({
  ...graph([["build", "after"]], { build: { type: "map", over: "$.files", agent_type: "frontend", ...fields } }),
  ...more,
});
const files = { files: ["x", "y", "z"] };

Deno.test("a map waits for one task per element, each with its element as input", async () => {
  const run = await startRun(db, mapped(), { files: ["x", { name: "y" }, 3] });
  assertEquals(await run.statuses(), {
    "build": "waiting",
    "build[0]": "pending",
    "build[1]": "pending",
    "build[2]": "pending",
    "after": "blocked",
  });
  assertEquals([await run.input("build[0]"), await run.input("build[1]"), await run.input("build[2]")], [
    "x",
    { name: "y" },
    3,
  ]);
});

for (const over of ["$.files[*]", "$.files[ * ]", "($.files[*])", "$.files[*] /* all */"]) {
  Deno.test(`${over} means all the files, not the first of them`, async () => {
    const run = await startRun(db, mapped({ over }), { files: [["x"], ["y"]] });
    assertEquals([await run.input("build[0]"), await run.input("build[1]")], [["x"], ["y"]]);
  });
}

Deno.test("the outputs are gathered in the order of the list, whoever came first", async () => {
  const run = await startRun(db, mapped(), files);
  for (const index of [2, 0, 1]) await run.complete(`build[${index}]`, { made: index });
  const gathered = [{ made: 0 }, { made: 1 }, { made: 2 }];
  assertEquals([await run.output("build"), await run.input("after")], [gathered, { build: gathered }]);
  assertEquals((await run.statuses()).after, "pending");
});

Deno.test("the gathered list is the channel of the map's id, and no element folds into the state by itself", async () => {
  const run = await startRun(db, mapped({}, { state: { log: "append" } }), { files: [1, 2] });
  await run.complete("build[1]", { log: "1" });
  assertEquals(await run.state(), { files: [1, 2] });
  await run.complete("build[0]", { log: "0" });
  assertEquals(await run.state(), { files: [1, 2], build: [{ log: "0" }, { log: "1" }] });
});

Deno.test("an element that reports no output leaves null in its place", async () => {
  const run = await startRun(db, mapped(), { files: [1, 2] });
  await run.complete("build[0]", null);
  await run.complete("build[1]", 2);
  assertEquals(await run.output("build"), [null, 2]);
});

Deno.test("an empty list completes the map at once, and what lies behind goes on", async () => {
  const run = await startRun(db, mapped(), { files: [] });
  assertEquals([await run.statuses(), await run.output("build")], [{ build: "completed", after: "pending" }, []]);
  assertEquals(await run.input("after"), { build: [] });
});

Deno.test("a path that ends in [*] means all that it finds, lists in a list too", async () => {
  const deep = { groups: [{ files: ["x"] }, { files: ["y", "z"] }] };
  const run = await startRun(db, mapped({ over: "$.groups[*].files[*]" }), deep);
  assertEquals([await run.input("build[0]"), await run.input("build[2]")], ["x", "z"]);
  const lists = await startRun(db, mapped({ over: "$.files[*]" }), { files: [[1, 2], [3]] });
  assertEquals([await lists.input("build[0]"), await lists.input("build[1]")], [[1, 2], [3]]);
});

Deno.test("a path that ends in [*] and finds nothing is an empty list", async () => {
  assertEquals((await (await startRun(db, mapped({ over: "$.nothing[*]" }))).statuses()).build, "completed");
});

for (
  const [what, input] of [["missing", {}], ["a string", { files: "x" }], ["an object", { files: {} }], ["null", {
    files: null,
  }]]
) {
  Deno.test(`a list that is ${what} fails the map and the execution, and says which path`, async () => {
    const run = await startRun(db, mapped(), input);
    const { status, error_message } = await run.execution();
    assertEquals([status, await run.statuses()], ["failed", { build: "failed", after: "cancelled" }]);
    assertStringIncludes(error_message, "$.files");
  });
}

for (const [on_failure, status] of [["skip", "skipped"], ["continue", "pending"]]) {
  Deno.test(`a bad list of a map that may ${on_failure} leaves what lies behind ${status}`, async () => {
    const run = await startRun(db, mapped({ on_failure }));
    assertEquals((await run.statuses()).after, status);
  });
}

Deno.test("more than 10,000 elements fail the map; 10,000 do not", async () => {
  const list = (length: number) => ({ files: Array.from({ length }, () => 1) });
  const over = await startRun(db, mapped(), list(10_001));
  assertEquals((await over.statuses()).build, "failed");
  assertStringIncludes((await over.execution()).error_message, "10001");
  const run = await startRun(db, mapped(), list(10_000));
  const [row] = await db.sql`
    select count(*)::int as n from public.agent_tasks where workflow_execution_id = ${run.id} and status = 'pending'`;
  assertEquals(row?.n, 10_000);
});

Deno.test("an input mapping reads the state, the element and its index", async () => {
  const input = { name: "$.item.name", at: "$.index", goal: "$.goal", tone: "calm" };
  const run = await startRun(db, mapped({ input }), { files: [{ name: "x" }, { name: "y" }], goal: "ship" });
  assertEquals(await run.input("build[1]"), { name: "y", at: 1, goal: "ship", tone: "calm" });
});

Deno.test("elements have the map's limits: agent type, attempts, priority, timeout and delay", async () => {
  const limits = { retry: { max_attempts: 7 }, priority: 3, timeout_seconds: 60, delay_seconds: 1000 };
  const run = await startRun(db, mapped(limits), files);
  const row = await run.row("build[0]");
  assertEquals([row.agent_type, row.max_attempts, row.priority, row.timeout_seconds], ["frontend", 7, 3, 60]);
  assertEquals(row.available_at > new Date(Date.now() + 900_000), true);
});

Deno.test("the map's own task is nobody's to claim", async () => {
  const run = await startRun(db, mapped(), files);
  assertEquals((await run.claim()).toSorted(), ["build[0]", "build[1]", "build[2]"]);
});

Deno.test("an element that fails for good fails the execution", async () => {
  const run = await startRun(db, mapped(oneAttempt), files);
  await run.claim();
  const { execution } = await run.fail("build[1]");
  assertEquals(execution.status, "failed");
  assertEquals(await run.statuses(), {
    "build": "cancelled",
    "build[0]": "cancelled",
    "build[1]": "failed",
    "build[2]": "cancelled",
    "after": "cancelled",
  });
});

for (const [on_failure, status] of [["skip", "skipped"], ["continue", "failed"]]) {
  Deno.test(`an element that fails where a map may ${on_failure} is ${status}, and null stands in its place`, async () => {
    const run = await startRun(db, mapped({ ...oneAttempt, on_failure }), files);
    await run.complete("build[0]", 0);
    await run.fail("build[1]", "broken");
    assertEquals((await run.statuses())["build[1]"], status);
    await run.complete("build[2]", 2);
    assertEquals(await run.output("build"), [0, null, 2]);
    assertEquals((await run.row("build[1]")).error_message, "broken");
  });
}

Deno.test("a map whose elements all fail and may continue is complete", async () => {
  const run = await startRun(db, mapped({ ...oneAttempt, on_failure: "continue" }), { files: [1, 2] });
  await run.fail("build[0]");
  await run.fail("build[1]");
  assertEquals([await run.output("build"), (await run.statuses()).after], [[null, null], "pending"]);
});

Deno.test("a map behind a skipped branch makes no tasks", async () => {
  const definition = mapped();
  const run = await startRun(db, {
    nodes: [...definition.nodes, { id: "a", agent_type: "architect" }],
    edges: [...definition.edges, { source: "a", target: "build", when: "$.go == true" }],
  }, files);
  await run.complete("a", { go: false });
  assertEquals(await run.statuses(), { a: "completed", build: "skipped", after: "skipped" });
});

Deno.test("a map in a loop makes new elements in every turn, from the state of that moment", async () => {
  const definition = mapped();
  const run = await startRun(db, {
    ...definition,
    edges: [
      ...definition.edges,
      { source: "after", target: "build", when: "$.again == true", loop: { max_iterations: 1 } },
    ],
  }, { files: [1] });
  await run.complete("build[0]", "first");
  await run.complete("after", { again: true, files: [1, 2] });
  await run.complete("build#1[1]", "b");
  await run.complete("build#1[0]", "a");
  assertEquals(await run.output("build#1"), ["a", "b"]);
  assertEquals((await run.complete("after#1", { again: false })).execution.status, "completed");
});

Deno.test("two maps may follow each other: the second goes over what the first gathered", async () => {
  const run = await startRun(
    db,
    graph([["one", "two"]], { one: { type: "map", over: "$.files" }, two: { type: "map", over: "$.one" } }),
    files,
  );
  for (const index of [0, 1, 2]) await run.complete(`one[${index}]`, index * 10);
  assertEquals(await run.input("two[2]"), 20);
});

Deno.test("the event of the last element says that the map is completed and what follows", async () => {
  const run = await startRun(db, mapped(), { files: [1] });
  await run.complete("build[0]");
  assertEquals((await run.events()).at(-1), {
    type: "task.completed",
    task: "build[0]",
    data: { attempt: 1, completed: ["build"], pending: ["after"] },
  });
});
