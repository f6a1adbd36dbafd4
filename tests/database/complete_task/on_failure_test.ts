// complete_task: what becomes of the graph when a task has failed for good.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";

const db = await shareDatabase();

const diamond = (on_failure?: string) =>
  graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"], ["b", "e"]], { b: { ...oneAttempt, on_failure } });

Deno.test("fail, the default, ends the execution and cancels what is open", async () => {
  const run = await startRun(db, diamond());
  await run.complete("a");
  assertEquals((await run.fail("b")).execution.status, "failed");
  assertEquals(await run.statuses(), { a: "completed", b: "failed", c: "cancelled", d: "cancelled", e: "cancelled" });
});

Deno.test("skip takes the task out of the graph like a branch not taken, and keeps its error", async () => {
  const run = await startRun(db, diamond("skip"));
  await run.complete("a");
  const { task, execution } = await run.fail("b", "broken");
  assertEquals([task.status, task.error_message, execution.status], ["skipped", "broken", "running"]);
  await run.complete("c", { from: "c" });
  assertEquals(await run.statuses(), { a: "completed", b: "skipped", c: "completed", d: "pending", e: "skipped" });
  assertEquals(await run.input("d"), { c: { from: "c" } });
});

Deno.test("continue takes the edges of the task as if it had completed, without an output", async () => {
  const run = await startRun(db, diamond("continue"));
  await run.complete("a");
  const { task, execution, unlocked } = await run.fail("b", "broken");
  assertEquals([task.status, execution.status], ["failed", "running"]);
  assertEquals(unlocked.map((one: { node_id: string }) => one.node_id), ["e"]);
  assertEquals(await run.input("e"), {});
  await run.complete("c", { from: "c" });
  assertEquals(await run.input("d"), { c: { from: "c" } });
});

Deno.test("an execution with failures that were passed over is completed", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }));
  await run.fail("a");
  assertEquals((await run.complete("b")).execution.status, "completed");
});

Deno.test("attempts come first: only the last failure is passed over", async () => {
  const retry = { max_attempts: 2, backoff_seconds: 0 };
  const run = await startRun(db, graph([["a", "b"]], { a: { retry, on_failure: "skip" } }));
  assertEquals((await run.fail("a")).task.status, "pending");
  assertEquals((await run.fail("a")).task.status, "skipped");
});

for (const [on_failure, status, after] of [["skip", "skipped", "skipped"], ["continue", "failed", "pending"]]) {
  Deno.test(`a lease that expires on the last attempt is passed over too, as ${on_failure}`, async () => {
    const run = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure } }));
    await run.lease("a");
    await expireLeases(db, run.id);
    await run.claim({ agent_types: ["debugger"] });
    assertEquals(await run.statuses(), { a: status, b: after });
  });
}

Deno.test("a failure that is passed over keeps the artifacts it brought", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }));
  const { id, lease_token } = await run.lease("a");
  const artifacts = [{ file_path: "log.txt", content: "what went wrong" }];
  await db.rpc("worker", "complete_task", { task_id: id, lease_token, status: "failed", artifacts });
  const saved = await db.sql`select file_path from public.code_artifacts where project_id = ${run.project.id}`;
  assertEquals(saved.map((row) => row.file_path), ["log.txt"]);
});

Deno.test("a failure that is passed over, reported twice, is answered alike", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }));
  const { id, lease_token } = await run.lease("a");
  const request = { task_id: id, lease_token, status: "failed", error_message: "no" };
  const first = await db.rpc("worker", "complete_task", request);
  assertEquals(await db.rpc("worker", "complete_task", request), first);
});

Deno.test("the events tell a failure from a skipped task", async () => {
  const failed = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }));
  await failed.fail("a");
  const skipped = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "skip" } }));
  await skipped.fail("a");
  assertEquals((await failed.events()).map((event) => event.type).at(-1), "task.failed");
  assertEquals((await skipped.events()).map((event) => event.type).slice(-2), ["task.skipped", "execution.completed"]);
});
