// decide_task: people who decide at the same moment, and one who decides while the execution is cancelled.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function waiting(approvals: number) {
  const run = await startRun(db, graph([["review", "ship"]], { review: { type: "approval", approvals } }));
  return { run, ...run.project, task_id: (await run.row("review")).id as string };
}

Deno.test("two people who approve at the same moment are two: the task behind begins once", async () => {
  const { run, owner, editor, task_id } = await waiting(2);
  await using first = await openTransaction(db, owner.actor);
  await using second = await openTransaction(db, editor.actor);
  const one = await first.rpc("decide_task", { task_id, decision: "approved" });
  const pending = second.rpc("decide_task", { task_id, decision: "approved" });
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  const two = await pending;
  await second.commit();
  assertEquals([one.task.status, two.task.status, two.unlocked.length], ["waiting", "completed", 1]);
  assertEquals((await run.statuses()).ship, "pending");
});

Deno.test("of an approval and a rejection at the same moment the first counts and the second is told", async () => {
  const { owner, editor, task_id } = await waiting(1);
  await using first = await openTransaction(db, owner.actor);
  await using second = await openTransaction(db, editor.actor);
  await first.rpc("decide_task", { task_id, decision: "approved" });
  const pending = second.rpc("decide_task", { task_id, decision: "rejected" }).catch((error) => error.hint);
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals(await pending, "task_not_waiting");
});

Deno.test("the same person twice at the same moment has decided once", async () => {
  const { owner, task_id } = await waiting(2);
  const answers = await Promise.all(
    [1, 2, 3].map(() => db.rpc(owner.actor, "decide_task", { task_id, decision: "approved" })),
  );
  assertEquals(answers.map((answer) => answer.task.status), ["waiting", "waiting", "waiting"]);
});

Deno.test("a decision that meets a cancellation finds the task cancelled", async () => {
  const { run, owner, editor, task_id } = await waiting(1);
  await using first = await openTransaction(db, owner.actor);
  await using second = await openTransaction(db, editor.actor);
  await first.rpc("cancel_execution", { execution_id: run.id });
  const pending = second.rpc("decide_task", { task_id, decision: "approved" }).catch((error) => error.hint);
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals(await pending, "task_not_waiting");
});

for (const table of ["workflows", "projects"] as const) {
  Deno.test(`a decision that waits while its ${table.slice(0, -1)} is deleted finds no task`, async () => {
    const { run, id, owner, editor, task_id } = await waiting(1);
    await using first = await openTransaction(db, owner.actor);
    await using second = await openTransaction(db, editor.actor);
    await first.rpc("cancel_execution", { execution_id: run.id });
    const pending = second.rpc("decide_task", { task_id, decision: "approved" }).catch((error) => error.hint);
    await waitUntilBlocked(db, second, pending);
    const column = table === "projects" ? "id" : "project_id";
    await first.sql.unsafe(`delete from public.${table} where ${column} = $1`, [id]);
    await first.commit();
    assertEquals(await pending, "task_not_found");
  });
}
