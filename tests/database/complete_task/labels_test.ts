// complete_task: where the edges of a node have labels, its worker names the branch.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";

const db = await shareDatabase();

function labelled(options = {}) {
  return {
    ...graph([["a", "good"], ["a", "bad"], ["a", "always"]], options),
    edges: [
      { source: "a", target: "good", label: "good" },
      { source: "a", target: "bad", label: "bad" },
      { source: "a", target: "always" },
    ],
  };
}

Deno.test("the label chooses its edges; those without one are taken anyway", async () => {
  const run = await startRun(db, labelled());
  const { task } = await run.complete("a", {}, { label: "good" });
  assertEquals(task.label, "good");
  assertEquals(await run.statuses(), { a: "completed", good: "pending", bad: "skipped", always: "pending" });
});

for (const [what, label] of [["unknown", "ugly"], ["missing", undefined], ["empty", ""]]) {
  Deno.test(`an ${what} label is refused with the labels there are, and the task goes on running`, async () => {
    const run = await startRun(db, labelled());
    const refusal = await run.refused("a", { output_data: {}, ...(label === undefined ? {} : { label }) });
    assertEquals([refusal.code, refusal.sqlstate], ["validation_failed", "PT422"]);
    const [field] = refusal.details.fields as { path: string; message: string }[];
    assertEquals(field?.path, "label");
    assertStringIncludes(field?.message ?? "", "bad, good");
    assertEquals((await run.statuses()).a, "running");
    await run.complete("a", {}, { label: "bad" });
    assertEquals((await run.statuses()).bad, "pending");
  });
}

Deno.test("a label where no edge has one is kept and chooses nothing", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const { task, unlocked } = await run.complete("a", {}, { label: "whatever" });
  assertEquals([task.label, unlocked.length], ["whatever", 1]);
});

Deno.test("a label of more than 200 characters is refused", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  assertEquals((await run.refused("a", { label: "x".repeat(201) })).code, "validation_failed");
});

Deno.test("a failure needs no label", async () => {
  const run = await startRun(db, labelled());
  assertEquals((await run.fail("a")).task.status, "pending");
});

Deno.test("a failure that is passed over has no label: only edges without one are taken", async () => {
  const run = await startRun(db, labelled({ a: { ...oneAttempt, on_failure: "continue" } }));
  await run.fail("a");
  assertEquals(await run.statuses(), { a: "failed", good: "skipped", bad: "skipped", always: "pending" });
});

Deno.test("an edge with a label and a condition needs both", async () => {
  const definition = {
    ...graph([["a", "b"], ["a", "c"]]),
    edges: [
      { source: "a", target: "b", label: "go", when: "$.n > 1" },
      { source: "a", target: "c", label: "go", when: "$.n > 5" },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("a", { n: 3 }, { label: "go" });
  assertEquals(await run.statuses(), { a: "completed", b: "pending", c: "skipped" });
});

Deno.test("two edges of one label are both taken", async () => {
  const definition = {
    ...graph([["a", "b"], ["a", "c"]]),
    edges: ["b", "c"].map((target) => ({ source: "a", target, label: "go" })),
  };
  const run = await startRun(db, definition);
  assertEquals((await run.complete("a", {}, { label: "go" })).unlocked.length, 2);
});
