// complete_task: whatever the order in which workers report, none of them waits for another in a circle.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  createProject,
  executionRow,
  expireLeases,
  graph,
  report,
  startExecution,
  statuses,
} from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const oneAttempt = { retry: { max_attempts: 1 } };

/** Two tasks that have no second attempt, claimed, and a third transaction that holds the execution's row. */
async function twoLastAttempts() {
  const project = await createProject(db);
  const { execution } = await startExecution(
    db,
    project,
    graph([["a", "c"], ["b", "c"]], { a: oneAttempt, b: oneAttempt }),
  );
  const tasks = await claimAll(db, execution.id);
  const holder = await openTransaction(db, "superuser");
  await holder.sql`select from public.workflow_executions where id = ${execution.id} for update`;
  return { execution, tasks, holder };
}

Deno.test("two tasks that fail for good at the same time fail the execution once, without a deadlock", async () => {
  const { execution, tasks, holder } = await twoLastAttempts();
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  const a = first.rpc("complete_task", report(tasks.a, { status: "failed", error_message: "a" })).then(first.commit);
  await waitUntilBlocked(db, first);
  const b = second.rpc("complete_task", report(tasks.b, { status: "failed", error_message: "b" })).then(second.commit);
  await waitUntilBlocked(db, second);
  // The one that comes second finds its task cancelled, which is a refusal and no deadlock.
  const both = Promise.allSettled([a, b]);
  await holder.commit();
  const [resultA, resultB] = await both;
  const reasons = [resultA, resultB].map((result) => result.status === "rejected" ? result.reason.hint : "done");
  assertEquals(reasons.toSorted(), ["done", "task_lease_lost"]);
  assertEquals((await executionRow(db, execution.id)).status, "failed");
});

Deno.test("a claim that sweeps a dead worker's task does not deadlock with a task that fails for good", async () => {
  const { execution, tasks, holder } = await twoLastAttempts();
  await db.sql`update public.agent_tasks set lease_expires_at = now() - interval '1 second' where id = ${
    tasks.a?.id ?? ""
  }`;
  await using sweeper = await openTransaction(db, "worker");
  await using worker = await openTransaction(db, "worker");
  const claim = sweeper.rpc("claim_tasks", { worker_id: "w", agent_types: ["tester"] }).then(sweeper.commit);
  // A sweep that skips a locked execution does not wait at all.
  await waitUntilBlocked(db, sweeper, claim);
  const failure = worker.rpc("complete_task", report(tasks.b, { status: "failed" })).then(worker.commit);
  await waitUntilBlocked(db, worker);
  // Heard from now on: one may be refused before the holder has ended.
  const both = Promise.allSettled([claim, failure]);
  await holder.commit();
  const [swept, failed] = await both;
  assertEquals(swept.status, "fulfilled");
  assertEquals(
    failed.status === "rejected" ? failed.reason.hint : "done",
    failed.status === "rejected" ? "task_lease_lost" : "done",
  );
  assertEquals((await executionRow(db, execution.id)).status, "failed");
});

Deno.test("a last failure and a completion that save the same file do not deadlock", async () => {
  const { execution, tasks, holder } = await twoLastAttempts();
  const artifacts = [{ file_path: "shared.txt", content: "one" }];
  await using failing = await openTransaction(db, "worker");
  await using completing = await openTransaction(db, "worker");
  const failure = failing.rpc("complete_task", report(tasks.a, { status: "failed", artifacts })).then(failing.commit);
  await waitUntilBlocked(db, failing);
  const completion = completing.rpc(
    "complete_task",
    report(tasks.b, { artifacts: [{ ...artifacts[0], content: "two" }] }),
  )
    .then(completing.commit);
  await waitUntilBlocked(db, completing, completion);
  const both = Promise.allSettled([failure, completion]);
  await holder.commit();
  const results = await both;
  const reasons = results.map((result) =>
    result.status === "rejected" ? (result.reason.hint ?? result.reason.code) : "done"
  );
  assertEquals(reasons[0], "done");
  assertEquals(["done", "task_lease_lost"].includes(reasons[1]), true, reasons[1]);
  assertEquals((await executionRow(db, execution.id)).status, "failed");
});

Deno.test("a last failure does not deadlock with someone who saves the same file for another open task", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "c"], ["b", "c"]], { a: oneAttempt }));
  const { a, b } = await claimAll(db, execution.id);
  const file = { file_path: "shared.txt", content: "one" };
  await using saver = await openTransaction(db, project.editor.actor);
  await using failing = await openTransaction(db, "worker");
  // The path is the saver's until it commits; the row that names another task comes last.
  await saver.rpc("save_artifact", { project_id: project.id, ...file });
  const request = report(a, { status: "failed", artifacts: [{ ...file, content: "two" }] });
  const failure = failing.rpc("complete_task", request).then(failing.commit);
  await waitUntilBlocked(db, failing);
  const saving = saver.rpc("save_artifact", { project_id: project.id, ...file, content: "three", task_id: b?.id });
  const results = await Promise.allSettled([saving.then(saver.commit), failure]);
  assertEquals(results.map((result) => result.status === "rejected" ? result.reason.code : "done"), ["done", "done"]);
});

Deno.test("two sweeps of one execution end each abandoned task once", async () => {
  const { execution, holder } = await twoLastAttempts();
  await holder.commit();
  await expireLeases(db, execution.id);
  await Promise.all([1, 2].map(() => db.rpc("worker", "claim_tasks", { worker_id: "w", agent_types: ["tester"] })));
  const endings = await db.sql`
    select t.id, count(*)::int as n from public.execution_events as e
    join public.agent_tasks as t on t.id = e.task_id and e.type = 'task.failed' or e.data -> 'cancelled' ? t.id::text
    where e.workflow_execution_id = ${execution.id} group by t.id`;
  assertEquals(endings.map((row) => row.n), [1, 1, 1]);
});

Deno.test("many completions with all their successors in common finish in any order", async () => {
  const project = await createProject(db);
  const sources = Array.from({ length: 12 }, (_, index) => `s${index}`);
  const targets = Array.from({ length: 12 }, (_, index) => `t${index}`);
  // Edges in a different order for every source, so that only the engine's own order can save it.
  const pairs = sources.flatMap((source, shift) =>
    targets.map((_, index): [string, string] => [source, targets[(index * 5 + shift * 7) % targets.length] ?? "t0"])
  );
  const { execution } = await startExecution(db, project, graph(pairs));
  const tasks = Object.values(await claimAll(db, execution.id));
  const shuffled = tasks.toSorted((left, right) => left.id.localeCompare(right.id));
  await Promise.all(shuffled.map((task) => db.rpc("worker", "complete_task", report(task, { output_data: {} }))));
  const after = await statuses(db, execution.id);
  assertEquals(targets.map((id) => after[id]), targets.map(() => "pending"));
});

Deno.test("the last element of a map and another task do not deadlock over the project's files", async () => {
  const project = await createProject(db);
  const definition = {
    ...graph([["m", "after"], ["b", "after"]], { m: { type: "map", over: "$.list" } }),
    edges: [{ source: "m", target: "after", when: "$.go == true" }, { source: "b", target: "after" }],
  };
  const { execution } = await startExecution(db, project, definition, { list: [1] });
  const { m, b } = await claimAll(db, execution.id);
  await using saver = await openTransaction(db, project.editor.actor);
  await using element = await openTransaction(db, "worker");
  await using other = await openTransaction(db, "worker");
  await saver.rpc("save_artifact", { project_id: project.id, file_path: "shared.txt", content: "one" });
  const artifacts = (content: string) => ({ artifacts: [{ file_path: "shared.txt", content }] });
  const last = element.rpc("complete_task", report(m, artifacts("two"))).then(element.commit);
  await waitUntilBlocked(db, element);
  const plain = other.rpc("complete_task", report(b, artifacts("three"))).then(other.commit);
  await waitUntilBlocked(db, other);
  await saver.commit();
  const results = await Promise.allSettled([last, plain]);
  assertEquals(results.map((result) => result.status === "rejected" ? result.reason.code : "done"), ["done", "done"]);
});
