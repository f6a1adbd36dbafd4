// complete_task: a join waits for all its predecessors and is given all their outputs, whoever came last.
import { assertEquals } from "@std/assert";
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
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const join = graph([["a", "join"], ["b", "join"]]);

Deno.test("a join stays blocked until the last of its predecessors is done", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, join);
  const { a, b } = await claimAll(db, execution.id);
  const first = await db.rpc("worker", "complete_task", report(a));
  assertEquals([first.unlocked, (await statuses(db, execution.id)).join], [[], "blocked"]);
  const second = await db.rpc("worker", "complete_task", report(b));
  assertEquals(second.unlocked.map((task: { node_id: string }) => task.node_id), ["join"]);
  assertEquals((await statuses(db, execution.id)).join, "pending");
});

Deno.test("a join without an input of its own is given its predecessors' outputs by node id", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, join);
  const { a, b } = await claimAll(db, execution.id);
  await db.rpc("worker", "complete_task", report(b, { output_data: { from: "b" } }));
  await db.rpc("worker", "complete_task", report(a, { output_data: { from: "a" } }));
  assertEquals((await claimNode(db, execution.id, "join")).input_data, { a: { from: "a" }, b: { from: "b" } });
});

Deno.test("a join whose last two predecessors complete at the same time opens once, with both outputs", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, join);
  const { a, b } = await claimAll(db, execution.id);
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  const answerA = await first.rpc("complete_task", report(a, { output_data: { from: "a" } }));
  const pendingB = second.rpc("complete_task", report(b, { output_data: { from: "b" } }));
  await waitUntilBlocked(db, second);
  await first.commit();
  const answerB = await pendingB;
  await second.commit();
  assertEquals([answerA.unlocked.length, answerB.unlocked.length], [0, 1]);
  const events = await db.sql`
    select count(*)::int as n from public.execution_events as e
    join public.agent_tasks as t on t.workflow_execution_id = e.workflow_execution_id and e.data -> 'pending' ? t.id::text
    where e.workflow_execution_id = ${execution.id} and t.node_id = 'join'`;
  assertEquals(events[0]?.n, 1);
  assertEquals((await claimNode(db, execution.id, "join")).input_data, { a: { from: "a" }, b: { from: "b" } });
});

Deno.test("a join still opens when the completion it waited for was rolled back and sent again", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, join);
  const { a, b } = await claimAll(db, execution.id);
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("complete_task", report(a));
  const pendingB = second.rpc("complete_task", report(b));
  await waitUntilBlocked(db, second);
  await first.rollback();
  assertEquals((await pendingB).unlocked, []);
  await second.commit();
  const again = await db.rpc("worker", "complete_task", report(a));
  assertEquals(again.unlocked.map((task: { node_id: string }) => task.node_id), ["join"]);
});

Deno.test("two edges between the same nodes count twice and are resolved together", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"], ["a", "b"]]));
  const answer = await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  assertEquals(answer.unlocked.map((task: { node_id: string }) => task.node_id), ["b"]);
});

Deno.test("two last tasks that complete at the same time end the execution exactly once", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "__end__"], ["b", "__end__"]]));
  const { a, b } = await claimAll(db, execution.id);
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  const answerA = await first.rpc("complete_task", report(a, { output_data: { a: 1 } }));
  const pendingB = second.rpc("complete_task", report(b, { output_data: { b: 2 } }));
  await waitUntilBlocked(db, second);
  await first.commit();
  const answerB = await pendingB;
  await second.commit();
  assertEquals([answerA.execution.status, answerB.execution.status], ["running", "completed"]);
  assertEquals((await executionRow(db, execution.id)).state, { a: 1, b: 2 });
  const events = await db.sql`
    select count(*)::int as n from public.execution_events
    where workflow_execution_id = ${execution.id} and type = 'execution.completed'`;
  assertEquals(events[0]?.n, 1);
});
