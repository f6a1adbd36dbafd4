// execution_state: an execution as it stands at any moment, equal to the fold of its outputs.
import { assertEquals, assertMatch } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";
import { untilVisible } from "../../support/transactions.ts";

const db = await shareDatabase();

const read = (actor: Actor, execution_id: string) => db.rpc(actor, "execution_state", { execution_id });

Deno.test("the answer has the execution, its tasks, its state and a cursor, and no lease", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const { lease_token } = await run.lease("a");
  const answer = await read(run.project.viewer.actor, run.id);
  assertEquals(Object.keys(answer).toSorted(), ["events_after", "execution", "state", "tasks"]);
  assertEquals(answer.tasks.map((task: { status: string }) => task.status), ["running", "blocked"]);
  assertMatch(answer.events_after, /^\d+-\d+$/);
  assertEquals(JSON.stringify(answer).includes(lease_token) || JSON.stringify(answer).includes("digest"), false);
});

Deno.test("the state is folded so far, while the row still holds the input", async () => {
  const definition = { ...graph([["a", "b"], ["b", "c"]]), state: { log: "append", n: "sum" } };
  const run = await startRun(db, definition, { n: 1 });
  assertEquals(await run.state(), { n: 1 });
  await run.complete("a", { log: "a", n: 2 });
  assertEquals(await run.state(), { n: 3, log: ["a"] });
  assertEquals((await run.execution()).state, { n: 1 });
  await run.complete("b", { log: "b" });
  assertEquals(await run.state(), { n: 3, log: ["a", "b"] });
});

Deno.test("at the end it is what the row holds", async () => {
  const run = await startRun(db, { ...graph([["a", "b"]]), state: { log: "append" } }, { goal: 1 });
  await run.complete("a", { log: "a" });
  await run.complete("b", { log: "b" });
  assertEquals(await run.state(), (await run.execution()).state);
  const failed = await startRun(db, graph([["a", "b"]], { b: oneAttempt }), { goal: 1 });
  await failed.complete("a", { done: 1 });
  await failed.fail("b");
  assertEquals(await failed.state(), (await failed.execution()).state);
});

Deno.test("the tasks stand in the order of the graph, the elements of a map in theirs", async () => {
  const run = await startRun(db, graph([["m", "after"]], { m: { type: "map", over: "$.files" } }), { files: [1, 2] });
  const { tasks } = await read(run.project.viewer.actor, run.id);
  assertEquals(tasks.map((task: { node_id: string; map_index: number | null }) => [task.node_id, task.map_index]), [
    ["m", 0],
    ["m", 1],
    ["m", null],
    ["after", null],
  ]);
});

Deno.test("following the events from its cursor misses nothing that came after", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await untilVisible(db);
  const { events_after } = await read(run.project.viewer.actor, run.id);
  await run.complete("a");
  await untilVisible(db);
  const { events } = await db.rpc(run.project.viewer.actor, "list_events", {
    execution_id: run.id,
    after: events_after,
  });
  assertEquals(events.map((event: { type: string }) => event.type), ["task.running", "task.completed"]);
});

Deno.test("every member, an admin and a worker may read; for a stranger there is no such execution", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const { owner, editor, viewer, stranger } = run.project;
  for (const actor of [owner.actor, editor.actor, viewer.actor, (await createAdmin(db)).actor, "worker"] as const) {
    assertEquals((await read(actor, run.id)).execution.id, run.id);
  }
  const refusal = await db.refusal(stranger.actor, "execution_state", { execution_id: run.id });
  assertEquals([refusal.code, refusal.sqlstate], ["execution_not_found", "PT404"]);
  assertEquals((await db.refusal("anon", "execution_state", { execution_id: run.id })).sqlstate, "42501");
});

Deno.test("an execution that does not exist is execution_not_found, for a worker too", async () => {
  const refusal = await db.refusal("worker", "execution_state", { execution_id: crypto.randomUUID() });
  assertEquals(refusal.code, "execution_not_found");
});

Deno.test("an archived project can still be read", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await db.sql`update public.projects set status = 'archived' where id = ${run.project.id}`;
  assertEquals((await read(run.project.viewer.actor, run.id)).execution.id, run.id);
});

Deno.test("an answer tells the first 10,000 characters of why a task failed, and the task's row all of it", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: oneAttempt }));
  const { id: task_id, lease_token } = await run.lease("a");
  const error_message = "é".repeat(500_000);
  const answer = await db.rpc("worker", "complete_task", { task_id, lease_token, status: "failed", error_message });
  const { tasks } = await read(run.project.viewer.actor, run.id);
  const told = [answer.task, ...tasks].map((task: { error_message: string | null }) => task.error_message?.length);
  assertEquals(told, [10_000, 10_000, undefined]);
  assertEquals((await run.row("a")).error_message, error_message);
});
