// complete_task: a node that joins `any` begins with the first live edge, once.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();

const any = { first: { join: "any" } };
const race = graph([["a", "first"], ["b", "first"], ["first", "__end__"]], any);

Deno.test("the first predecessor that completes sets it going, with its output alone", async () => {
  const run = await startRun(db, race);
  await run.complete("b", { from: "b" });
  assertEquals([(await run.statuses()).first, await run.input("first")], ["pending", { b: { from: "b" } }]);
});

Deno.test("later ones are ignored", async () => {
  const run = await startRun(db, race);
  await run.complete("b", { from: "b" });
  assertEquals((await run.complete("a", { from: "a" })).unlocked, []);
  assertEquals(await run.input("first"), { b: { from: "b" } });
});

Deno.test("a skipped predecessor does not set it going", async () => {
  const run = await startRun(db, {
    ...race,
    edges: [
      { source: "a", target: "first", when: "$.ok == true" },
      { source: "b", target: "first" },
      { source: "first", target: "__end__" },
    ],
  });
  await run.complete("a", { ok: false });
  assertEquals((await run.statuses()).first, "blocked");
  await run.complete("b");
  assertEquals((await run.statuses()).first, "pending");
});

Deno.test("it is skipped when no edge into it was live", async () => {
  const run = await startRun(db, {
    ...race,
    edges: ["a", "b"].map((source) => ({ source, target: "first", when: "$.ok == true" })),
  });
  await run.complete("a", {});
  await run.complete("b", {});
  assertEquals([(await run.statuses()).first, await run.status()], ["skipped", "completed"]);
});

Deno.test("when the end is reached, whoever is still at work is cancelled and learns it", async () => {
  const run = await startRun(db, race);
  const { id: task_id, lease_token } = await run.lease("a");
  await run.complete("b", {});
  const { execution } = await run.complete("first", {});
  assertEquals([execution.status, (await run.statuses()).a], ["completed", "cancelled"]);
  assertEquals(await db.rpc("worker", "heartbeat_task", { task_id, lease_token }), {
    lease_expires_at: null,
    cancelled: true,
  });
  assertEquals((await run.events()).at(-1), { type: "execution.completed", task: null, data: { cancelled: ["a"] } });
});

Deno.test("a loop cancels what is still open of the turn before", async () => {
  const definition = {
    ...graph([["s", "a"], ["s", "b"], ["a", "first"], ["b", "first"]], any),
    edges: [
      ...graph([["s", "a"], ["s", "b"], ["a", "first"], ["b", "first"]]).edges,
      { source: "first", target: "s", when: "$.again == true", loop: { max_iterations: 1 } },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("s");
  await run.complete("a");
  await run.complete("first", { again: true });
  const after = await run.statuses();
  assertEquals([after.b, after["s#1"], after["b#1"]], ["cancelled", "pending", "blocked"]);
});

Deno.test("a node that joins any and one that joins all can stand side by side", async () => {
  const run = await startRun(db, graph([["a", "first"], ["b", "first"], ["a", "all"], ["b", "all"]], any));
  await run.complete("a");
  assertEquals(await run.statuses(), { a: "completed", b: "running", first: "pending", all: "blocked" });
});
