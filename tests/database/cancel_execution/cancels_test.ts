// cancel_execution: an execution is ended by a person or a worker, and whoever is at work in it learns it.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const start = () => startRun(db, graph([["a", "c"], ["b", "c"]]), { goal: 1 });
const cancel = (actor: Actor, execution_id: string, fields = {}) =>
  db.rpc(actor, "cancel_execution", { execution_id, ...fields });

Deno.test("a cancelled execution has nothing open, and keeps what was completed", async () => {
  const run = await start();
  await run.complete("a", { done: "a" });
  const { execution } = await cancel(run.project.editor.actor, run.id, { reason: "Not needed." });
  assertEquals([execution.status, execution.error_message], ["cancelled", "Not needed."]);
  assertEquals(await run.statuses(), { a: "completed", b: "cancelled", c: "cancelled" });
  assertEquals((await run.execution()).state, { goal: 1, done: "a" });
});

Deno.test("no reason is needed", async () => {
  const run = await start();
  assertEquals((await cancel(run.project.editor.actor, run.id)).execution.error_message, null);
});

Deno.test("a worker at work learns it at its next heartbeat, and its report is a lost lease", async () => {
  const run = await start();
  const { id: task_id, lease_token } = await run.lease("a");
  await cancel(run.project.owner.actor, run.id);
  assertEquals(await db.rpc("worker", "heartbeat_task", { task_id, lease_token }), {
    lease_expires_at: null,
    cancelled: true,
  });
  const refusal = await run.refused("a", { output_data: {} });
  assertEquals([refusal.code, refusal.details], ["task_lease_lost", { status: "cancelled" }]);
});

Deno.test("nothing of a cancelled execution can be claimed, also when its leases expire", async () => {
  const run = await start();
  await run.lease("a");
  await cancel(run.project.owner.actor, run.id);
  assertEquals(await run.claim(), []);
});

Deno.test("cancelling twice is answered alike and written down once", async () => {
  const run = await start();
  const first = await cancel(run.project.owner.actor, run.id, { reason: "one" });
  assertEquals(await cancel(run.project.owner.actor, run.id, { reason: "two" }), first);
  const told = (await run.events()).filter((event) => event.type === "execution.cancelled");
  assertEquals(told, [{
    type: "execution.cancelled",
    task: null,
    data: { error: "one", user_id: run.project.owner.id, cancelled: ["a", "b", "c"] },
  }]);
});

Deno.test("a completed execution cannot be cancelled any more", async () => {
  const run = await startRun(db, graph([["a", "__end__"]]));
  await run.complete("a");
  const refusal = await db.refusal("worker", "cancel_execution", { execution_id: run.id });
  assertEquals([refusal.code, refusal.sqlstate, refusal.details], [
    "execution_not_running",
    "PT409",
    { status: "completed" },
  ]);
});

Deno.test("an execution may be cancelled by an owner, an editor and a worker", async () => {
  for (const who of ["owner", "editor", "worker"] as const) {
    const run = await start();
    const actor = who === "worker" ? "worker" : run.project[who].actor;
    assertEquals((await cancel(actor, run.id)).execution.status, "cancelled", who);
  }
});

Deno.test("a viewer and an admin who is no member may not; for a stranger there is no such execution", async () => {
  const run = await start();
  const codeOf = async (actor: Actor) => (await db.refusal(actor, "cancel_execution", { execution_id: run.id })).code;
  assertEquals(await codeOf(run.project.viewer.actor), "forbidden");
  assertEquals(await codeOf((await createAdmin(db)).actor), "forbidden");
  assertEquals(await codeOf(run.project.stranger.actor), "execution_not_found");
  assertEquals((await db.refusal("anon", "cancel_execution", { execution_id: run.id })).sqlstate, "42501");
  assertEquals(await run.status(), "running");
});

Deno.test("an execution that does not exist is execution_not_found", async () => {
  const refusal = await db.refusal("worker", "cancel_execution", { execution_id: crypto.randomUUID() });
  assertEquals(refusal.code, "execution_not_found");
});

Deno.test("a reason of more than 10,000 characters is refused", async () => {
  const run = await start();
  const request = { execution_id: run.id, reason: "x".repeat(10_001) };
  assertEquals((await db.refusal("worker", "cancel_execution", request)).code, "validation_failed");
});

Deno.test("nothing is cancelled in an archived project", async () => {
  const run = await start();
  await db.sql`update public.projects set status = 'archived' where id = ${run.project.id}`;
  for (const actor of ["worker", run.project.owner.actor] as const) {
    assertEquals((await db.refusal(actor, "cancel_execution", { execution_id: run.id })).code, "project_not_active");
  }
});

Deno.test("a report that comes while the cancellation commits finds its task cancelled", async () => {
  const run = await start();
  const { id: task_id, lease_token } = await run.lease("a");
  await using canceller = await openTransaction(db, run.project.owner.actor);
  await using worker = await openTransaction(db, "worker");
  await canceller.rpc("cancel_execution", { execution_id: run.id });
  const pending = worker.rpc("complete_task", { task_id, lease_token, status: "completed" })
    .catch((error) => error.hint);
  await waitUntilBlocked(db, worker, pending);
  await canceller.commit();
  assertEquals(await pending, "task_lease_lost");
});

Deno.test("a cancellation that comes while a report commits waits for it and keeps its output", async () => {
  const run = await start();
  const { id: task_id, lease_token } = await run.lease("a");
  await using worker = await openTransaction(db, "worker");
  await using canceller = await openTransaction(db, run.project.owner.actor);
  await worker.rpc("complete_task", { task_id, lease_token, status: "completed", output_data: { kept: true } });
  const pending = canceller.rpc("cancel_execution", { execution_id: run.id });
  await waitUntilBlocked(db, canceller, pending);
  await worker.commit();
  await pending;
  await canceller.commit();
  assertEquals((await run.execution()).state, { goal: 1, kept: true });
});

Deno.test("cancelling closes what waits for people and maps too", async () => {
  const run = await startRun(
    db,
    graph([["review", "x"], ["m", "x"]], { review: { type: "approval" }, m: { type: "map", over: "$.files" } }),
    { files: [1] },
  );
  await cancel(run.project.owner.actor, run.id);
  assertEquals(await run.statuses(), {
    "review": "cancelled",
    "m": "cancelled",
    "m[0]": "cancelled",
    "x": "cancelled",
  });
});

Deno.test("whoever cancels while the project is being deleted waits for that, and holds nothing it needs", async () => {
  const { id, project } = await start();
  await using first = await openTransaction(db, project.owner.actor);
  await using second = await openTransaction(db, project.editor.actor);
  await first.sql`select from public.projects where id = ${project.id} for update`;
  const pending = second.rpc("cancel_execution", { execution_id: id }).catch((error) => error.hint);
  await waitUntilBlocked(db, second, pending);
  await first.sql`delete from public.projects where id = ${project.id}`;
  await first.commit();
  assertEquals(await pending, "execution_not_found");
});
