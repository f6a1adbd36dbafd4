// complete_task: what a completion sets free, what it leaves alone and what it writes down.
import { assertEquals, assertExists } from "@std/assert";
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

Deno.test("a completion makes every task behind it pending and leaves the ones further on blocked", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "e"]]));
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  assertEquals(await statuses(db, execution.id), {
    a: "completed",
    b: "pending",
    c: "pending",
    d: "blocked",
    e: "blocked",
  });
});

Deno.test("a completion touches no other execution of the same workflow", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const other = await db.rpc(project.owner.actor, "start_workflow", { workflow_id: execution.workflow_id });
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  assertEquals(await statuses(db, other.execution.id), { a: "pending", b: "blocked" });
});

Deno.test("a completed task keeps its output, time and label, and its lease is over", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const task = await claimNode(db, execution.id, "a");
  const fields = { output_data: { plan: [1, 2] }, execution_time_ms: 1234, label: "good" };
  await db.rpc("worker", "complete_task", report(task, fields));
  const [row] = await db.sql`select * from public.agent_tasks where id = ${task.id}`;
  assertExists(row);
  assertEquals(
    [row.status, row.output_data, row.execution_time_ms, row.label, row.lease_expires_at],
    ["completed", fields.output_data, 1234, "good", null],
  );
  assertExists(row.completed_at);
});

Deno.test("the answer tells the task, the execution and what was unlocked, without any lease", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const answer = await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  assertEquals(Object.keys(answer).toSorted(), ["execution", "task", "unlocked"]);
  assertEquals([answer.task.status, answer.execution.status, answer.unlocked[0].status], [
    "completed",
    "running",
    "pending",
  ]);
  assertEquals(JSON.stringify(answer).includes("lease"), false);
});

Deno.test("the last task completes the execution", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["__start__", "a"], ["a", "__end__"]]));
  const answer = await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  assertEquals(answer.execution.status, "completed");
  assertExists((await executionRow(db, execution.id)).completed_at);
});

Deno.test("an execution is not complete while one branch is still running", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"], ["a", "c"]]));
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  const { b } = await claimAll(db, execution.id);
  const answer = await db.rpc("worker", "complete_task", report(b));
  assertEquals(answer.execution.status, "running");
});

Deno.test("the events tell the story in order and end with the execution's end", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "b")));
  const events = await db.sql`
    select e.type || coalesce(' ' || t.node_id, '') as what
    from public.execution_events as e left join public.agent_tasks as t on t.id = e.task_id
    where e.workflow_execution_id = ${execution.id} order by e.transaction_id, e.id`;
  assertEquals(events.map((event) => event.what), [
    "execution.started",
    "task.running a",
    "task.completed a",
    "task.running b",
    "task.completed b",
    "execution.completed",
  ]);
});

Deno.test("a graph of every shape runs to its end, whichever task is claimed next", async () => {
  const project = await createProject(db);
  const pairs: [string, string][] = [
    ["a", "b"],
    ["a", "c"],
    ["b", "d"],
    ["c", "d"],
    ["a", "d"],
    ["d", "e"],
    ["x", "e"],
    ["x", "y"],
  ];
  const { execution } = await startExecution(db, project, graph(pairs));
  for (let left = 7; left > 0; left--) {
    const [task] = Object.values(await claimAll(db, execution.id, { limit: 1 }));
    await db.rpc("worker", "complete_task", report(task));
  }
  assertEquals((await executionRow(db, execution.id)).status, "completed");
});
