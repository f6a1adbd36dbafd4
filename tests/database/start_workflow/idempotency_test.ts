// start_workflow: one idempotency key is one execution, however often and however concurrently it is sent.
import { assertEquals, assertNotEquals } from "@std/assert";
import { callDoor, shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, createWorkflow, graph, report } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function workflow() {
  const project = await createProject(db);
  return { project, workflow_id: await createWorkflow(db, project, graph([["a", "b"]])) };
}

const count = async (workflow_id: string): Promise<number> =>
  (await db.sql`select count(*)::int as n from public.workflow_executions where workflow_id = ${workflow_id}`)[0]?.n;

Deno.test("two starts with one key that arrive together make one execution", async () => {
  const { project, workflow_id } = await workflow();
  const request = { workflow_id, idempotency_key: "key" };
  await using first = await openTransaction(db, project.editor.actor);
  await using second = await openTransaction(db, project.editor.actor);
  const made = await first.rpc("start_workflow", request);
  const waiting = second.rpc("start_workflow", request);
  await waitUntilBlocked(db, second);
  await first.commit();
  const found = await waiting;
  await second.commit();
  assertEquals([made.replayed, found.replayed, found.execution.id], [false, true, made.execution.id]);
  assertEquals(await count(workflow_id), 1);
});

Deno.test("a start whose first try was rolled back makes the execution", async () => {
  const { project, workflow_id } = await workflow();
  const request = { workflow_id, idempotency_key: "key" };
  await using first = await openTransaction(db, project.editor.actor);
  await using second = await openTransaction(db, project.editor.actor);
  await first.rpc("start_workflow", request);
  const waiting = second.rpc("start_workflow", request);
  await waitUntilBlocked(db, second);
  await first.rollback();
  assertEquals((await waiting).replayed, false);
  await second.commit();
  assertEquals(await count(workflow_id), 1);
});

Deno.test("a start that waited while its workflow was deleted finds no workflow", async () => {
  const { project, workflow_id } = await workflow();
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  const request = { workflow_id, idempotency_key: "key" };
  await using first = await openTransaction(db, project.owner.actor);
  await using second = await openTransaction(db, project.editor.actor);
  await first.rpc("start_workflow", request);
  const pending = second.rpc("start_workflow", request).catch((error) => [error.hint, error.message]);
  await waitUntilBlocked(db, second, pending);
  await first.sql`delete from public.workflows where id = ${workflow_id}`;
  await first.commit();
  assertEquals(await pending, ["workflow_not_found", "There is no such workflow any more."]);
});

Deno.test("starts without a key are executions of their own", async () => {
  const { project, workflow_id } = await workflow();
  const first = await db.rpc(project.editor.actor, "start_workflow", { workflow_id });
  const second = await db.rpc(project.editor.actor, "start_workflow", { workflow_id });
  assertNotEquals(first.execution.id, second.execution.id);
});

Deno.test("one key in two workflows is two executions", async () => {
  const { project, workflow_id } = await workflow();
  const other = await createWorkflow(db, project, graph([["a", "b"]]));
  const [first, second] = await Promise.all(
    [workflow_id, other].map((id) =>
      db.rpc(project.editor.actor, "start_workflow", { workflow_id: id, idempotency_key: "key" })
    ),
  );
  assertNotEquals(first.execution.id, second.execution.id);
});

Deno.test("the order of an input's keys does not make it another input", async () => {
  const { project, workflow_id } = await workflow();
  const request = { workflow_id, idempotency_key: "key" };
  await db.rpc(project.editor.actor, "start_workflow", { ...request, input: { a: 1, b: 2 } });
  const again = await db.rpc(project.editor.actor, "start_workflow", { ...request, input: { b: 2, a: 1 } });
  assertEquals(again.replayed, true);
});

Deno.test("another version with the same key is an idempotency_conflict that names the execution", async () => {
  const { project, workflow_id } = await workflow();
  const first = await db.rpc(project.editor.actor, "start_workflow", { workflow_id, idempotency_key: "key" });
  await db.sql`select private.publish_workflow(${workflow_id})`;
  const refusal = await db.refusal(project.editor.actor, "start_workflow", {
    workflow_id,
    version: 2,
    idempotency_key: "key",
  });
  assertEquals([refusal.code, refusal.sqlstate, refusal.details], ["idempotency_conflict", "PT409", {
    execution_id: first.execution.id,
  }]);
});

Deno.test("a replay shows the tasks as they are now, and starts nothing again", async () => {
  const { project, workflow_id } = await workflow();
  const request = { workflow_id, idempotency_key: "key" };
  const { execution } = await db.rpc(project.editor.actor, "start_workflow", request);
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  const again = await db.rpc(project.editor.actor, "start_workflow", request);
  assertEquals(again.tasks.map((task: { status: string }) => task.status), ["completed", "pending"]);
});

Deno.test("a replay after a newer version was published still gives the execution of the older one", async () => {
  const { project, workflow_id } = await workflow();
  const request = { workflow_id, idempotency_key: "key" };
  const first = await db.rpc(project.editor.actor, "start_workflow", request);
  await db.sql`select private.publish_workflow(${workflow_id})`;
  const again = await db.rpc(project.editor.actor, "start_workflow", request);
  assertEquals([again.execution.id, again.execution.version], [first.execution.id, 1]);
});

for (const [what, idempotency_key] of [["An empty", ""], ["A too long", "x".repeat(256)]]) {
  Deno.test(`${what} key is refused as validation_failed`, async () => {
    const { project, workflow_id } = await workflow();
    const refusal = await db.refusal(project.editor.actor, "start_workflow", { workflow_id, idempotency_key });
    assertEquals(refusal.code, "validation_failed");
  });
}

Deno.test("an idempotency key names no lock that its text can be worked out for", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]]));
  await using other = await openTransaction(db, "superuser");
  await other.sql`select pg_advisory_xact_lock(hashtextextended(${`start:${workflow_id}key`}, 0))`;
  await db.as(project.editor.actor, async (tx) => {
    await tx`set local lock_timeout = '5s'`;
    await callDoor(tx, "start_workflow", { workflow_id, idempotency_key: "key" });
  });
});
