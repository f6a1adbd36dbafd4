// complete_task: a failure is another attempt after a while, and with none left the end of the execution.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  claimNode,
  createProject,
  executionRow,
  graph,
  report,
  startExecution,
  statuses,
} from "../../support/factories.ts";

const db = await shareDatabase();

const failed = { status: "failed", error_message: "The compiler said no." };

async function start(retry: Record<string, number>) {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "c"], ["b", "c"]], { a: { retry } }));
  return execution.id as string;
}

/** Seconds from now until the task may be claimed again. */
async function secondsToWait(id: string): Promise<number> {
  const [row] = await db.sql`
    select extract(epoch from available_at - now())::float as seconds from public.agent_tasks where id = ${id}`;
  return row?.seconds;
}

Deno.test("a failure with attempts left makes the task pending again and the execution goes on", async () => {
  const id = await start({ max_attempts: 2 });
  const { a } = await claimAll(db, id);
  const answer = await db.rpc("worker", "complete_task", report(a, failed));
  assertEquals([answer.task.status, answer.task.attempt, answer.task.error_message], [
    "pending",
    1,
    "The compiler said no.",
  ]);
  assertEquals((await executionRow(db, id)).status, "running");
});

Deno.test("a failed task waits before its next attempt: nobody can claim it meanwhile", async () => {
  const id = await start({ max_attempts: 2, backoff_seconds: 60 });
  const { a } = await claimAll(db, id);
  await db.rpc("worker", "complete_task", report(a, failed));
  assertEquals((await claimAll(db, id)).a, undefined);
});

Deno.test("the wait doubles with every attempt, with up to half of it taken off", async () => {
  const id = await start({ max_attempts: 5, backoff_seconds: 100 });
  await claimAll(db, id);
  for (const [attempt, full] of [[1, 100], [2, 200], [3, 400], [4, 800]] as const) {
    await db.sql`
      update public.agent_tasks set available_at = now(), attempt = ${attempt - 1}, status = 'pending'
      where workflow_execution_id = ${id} and node_id = 'a'`;
    const task = await claimNode(db, id, "a");
    await db.rpc("worker", "complete_task", report(task, { ...failed, label: String(attempt) }));
    const wait = await secondsToWait(task.id);
    assert(wait > full / 2 - 5 && wait <= full, `attempt ${attempt} waits ${wait} s of ${full} s`);
  }
});

Deno.test("no wait is longer than a day", async () => {
  const id = await start({ max_attempts: 100, backoff_seconds: 86400 });
  await db.sql`update public.agent_tasks set attempt = 90 where workflow_execution_id = ${id} and node_id = 'a'`;
  const task = await claimNode(db, id, "a");
  await db.rpc("worker", "complete_task", report(task, failed));
  assert(await secondsToWait(task.id) <= 86400);
});

Deno.test("the next attempt starts clean and can complete the task", async () => {
  const id = await start({ max_attempts: 2, backoff_seconds: 0 });
  const { a } = await claimAll(db, id);
  await db.rpc("worker", "complete_task", report(a, failed));
  const again = await claimNode(db, id, "a");
  assertEquals(again.attempt, 2);
  const answer = await db.rpc("worker", "complete_task", report(again, { output_data: {} }));
  assertEquals([answer.task.status, answer.task.error_message], ["completed", null]);
});

Deno.test("the last failure fails the task and the execution, and says why", async () => {
  const id = await start({ max_attempts: 1 });
  const { a } = await claimAll(db, id);
  const answer = await db.rpc("worker", "complete_task", report(a, failed));
  assertEquals([answer.task.status, answer.execution.status], ["failed", "failed"]);
  assertStringIncludes(answer.execution.error_message, "The compiler said no.");
});

Deno.test("a failed execution leaves no task open", async () => {
  const id = await start({ max_attempts: 1 });
  const { a } = await claimAll(db, id);
  await db.rpc("worker", "complete_task", report(a, failed));
  assertEquals(await statuses(db, id), { a: "failed", b: "cancelled", c: "cancelled" });
  assertEquals(await claimAll(db, id), {});
});

Deno.test("the state of a failed execution holds what had been completed", async () => {
  const id = await start({ max_attempts: 1 });
  const { a, b } = await claimAll(db, id);
  await db.rpc("worker", "complete_task", report(b, { output_data: { done: true } }));
  await db.rpc("worker", "complete_task", report(a, failed));
  assertEquals((await executionRow(db, id)).state, { done: true });
});

Deno.test("a failed attempt keeps no output", async () => {
  const id = await start({ max_attempts: 1 });
  const { a } = await claimAll(db, id);
  await db.rpc("worker", "complete_task", report(a, { ...failed, output_data: { half: "done" } }));
  assertEquals((await executionRow(db, id)).state, {});
});

Deno.test("a retry and a final failure are written down as events", async () => {
  const id = await start({ max_attempts: 2, backoff_seconds: 0 });
  const { a } = await claimAll(db, id);
  await db.rpc("worker", "complete_task", report(a, failed));
  await db.rpc("worker", "complete_task", report(await claimNode(db, id, "a"), failed));
  const events = await db.sql`
    select type from public.execution_events
    where workflow_execution_id = ${id} and (task_id = ${a?.id ?? ""} or task_id is null) order by transaction_id, id`;
  assertEquals(events.map((event) => event.type), [
    "execution.started",
    "task.running",
    "task.retry",
    "task.running",
    "task.failed",
    "execution.failed",
  ]);
});
