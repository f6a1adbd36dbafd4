// complete_task: conditions on the state decide which edges are taken, and what no edge leads to any more is skipped.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();

/** Nodes a, b, … with edges given as [source, target, when?]. */
function conditional(edges: [string, string, string?][], options = {}) {
  const base = graph(edges.map(([source, target]) => [source, target]), options);
  return { ...base, edges: edges.map(([source, target, when]) => ({ source, target, ...(when ? { when } : {}) })) };
}

const fork = conditional([["a", "yes", "$.ok == true"], ["a", "no", "$.ok == false"]]);

Deno.test("an edge is taken when its condition is true of the state, and the branch not taken is skipped", async () => {
  const run = await startRun(db, fork);
  await run.complete("a", { ok: true });
  assertEquals(await run.statuses(), { a: "completed", yes: "pending", no: "skipped" });
});

for (
  const [what, output] of [["null", { ok: null }], ["a string", { ok: "true" }], ["missing", {}], ["a list", {
    ok: [1],
  }]]
) {
  Deno.test(`a condition on what is ${what} is not true, and does not stop the execution`, async () => {
    const run = await startRun(db, conditional([["a", "yes", "$.ok == true"], ["a", "always"]]));
    await run.complete("a", output);
    assertEquals(await run.statuses(), { a: "completed", yes: "skipped", always: "pending" });
  });
}

for (const when of ["$.n > 3", "exists($.list[*] ? (@ == 2))", '$.name starts with "ge"', "$.flag"]) {
  Deno.test(`a condition may be any jsonpath predicate: ${when}`, async () => {
    const run = await startRun(db, conditional([["a", "b", when]]));
    await run.complete("a", { n: 4, list: [1, 2], name: "genesis", flag: true });
    assertEquals((await run.statuses()).b, "pending");
  });
}

Deno.test("a condition that fails on the data is false", async () => {
  const run = await startRun(db, conditional([["a", "b", '$.due.datetime() < "2020-01-01T00:00:00+00".datetime()']]));
  await run.complete("a", { due: "2020-01-01" });
  assertEquals([await run.statuses(), await run.status()], [{ a: "completed", b: "skipped" }, "completed"]);
});

Deno.test("a condition reads the whole state so far, not only the last output", async () => {
  const run = await startRun(db, conditional([["a", "b"], ["b", "c", "$.goal == 1 && $.from_a == 2"]]), { goal: 1 });
  await run.complete("a", { from_a: 2 });
  await run.complete("b", {});
  assertEquals((await run.statuses()).c, "pending");
});

Deno.test("skipping flows on to whatever only skipped tasks lead to", async () => {
  const run = await startRun(db, conditional([["a", "b", "$.ok == true"], ["b", "c"], ["c", "d"], ["a", "e"]]));
  await run.complete("a", { ok: false });
  assertEquals(await run.statuses(), { a: "completed", b: "skipped", c: "skipped", d: "skipped", e: "pending" });
});

Deno.test("a join with one live edge goes on when the others are skipped, with the live output alone", async () => {
  const run = await startRun(
    db,
    conditional([["a", "yes", "$.ok == true"], ["a", "no", "$.ok == false"], ["yes", "join"], ["no", "join"]]),
  );
  await run.complete("a", { ok: true });
  assertEquals((await run.statuses()).join, "blocked");
  await run.complete("yes", { from: "yes" });
  assertEquals(await run.input("join"), { yes: { from: "yes" } });
});

Deno.test("an execution whose every way is skipped is completed", async () => {
  const run = await startRun(db, fork);
  const { execution } = await run.complete("a", { ok: "maybe" });
  assertEquals([execution.status, await run.statuses()], ["completed", {
    a: "completed",
    yes: "skipped",
    no: "skipped",
  }]);
});

Deno.test("a condition on the start is decided on the input", async () => {
  const definition = conditional([["__start__", "a", '$.kind == "a"'], ["__start__", "b", '$.kind == "b"']]);
  const run = await startRun(db, definition, { kind: "b" });
  assertEquals(await run.statuses(), { a: "skipped", b: "pending" });
});

Deno.test("an input that no start condition fits completes the execution at once", async () => {
  const run = await startRun(db, conditional([["__start__", "a", '$.kind == "a"']]), { kind: "c" });
  assertEquals([await run.status(), await run.statuses(), await run.state()], [
    "completed",
    { a: "skipped" },
    { kind: "c" },
  ]);
});

Deno.test("a condition on the edge to the end does not hold the execution up", async () => {
  const run = await startRun(
    db,
    conditional([["a", "__end__", "$.ok == true"], ["a", "b", "$.ok == false"], ["b", "__end__"]]),
  );
  const { execution } = await run.complete("a", { ok: true });
  assertEquals(execution.status, "completed");
});

Deno.test("what a completion sets going and what it skips stand in one event", async () => {
  const run = await startRun(db, fork);
  await run.complete("a", { ok: true });
  const { type, task, data } = (await run.events())[2] ?? {};
  assertEquals([type, task, data], ["task.completed", "a", { attempt: 1, pending: ["yes"], skipped: ["no"] }]);
});
