// complete_task: reports that meet in a graph with branches, maps and workflows inside decide each edge once.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph, report } from "../../support/factories.ts";
import { oneAttempt, runOf, startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** How often the events say that the task of that name came to that status. */
const times = async (run: Awaited<ReturnType<typeof startRun>>, name: string, status: string) =>
  (await run.events()).flatMap(({ data }) => (data[status] ?? []) as string[]).filter((one) => one === name).length;

Deno.test("the last two predecessors of a join with conditions complete at the same moment: it opens once, with both", async () => {
  const join = graph([["a", "join"], ["b", "join"]]);
  const run = await startRun(db, {
    ...join,
    edges: join.edges.map((edge) => ({ ...edge, when: "$.a == 1 || $.b == 1" })),
  });
  await run.claim();
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("complete_task", report(await run.lease("a"), { output_data: { a: 1 } }));
  const pending = second.rpc("complete_task", report(await run.lease("b"), { output_data: { b: 1 } }));
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals((await pending).unlocked.length, 1);
  await second.commit();
  assertEquals([await run.input("join"), await times(run, "join", "pending")], [{ a: { a: 1 }, b: { b: 1 } }, 1]);
});

Deno.test("two that race for a join of any set it going once", async () => {
  const run = await startRun(db, graph([["a", "first"], ["b", "first"]], { first: { join: "any" } }));
  await run.claim();
  const tasks = [await run.lease("a"), await run.lease("b")];
  const answers = await Promise.all(tasks.map((task) => db.rpc("worker", "complete_task", report(task))));
  assertEquals(answers.map((answer) => answer.unlocked.length).toSorted(), [0, 1]);
  assertEquals(await times(run, "first", "pending"), 1);
});

Deno.test("the last elements of a map that complete at the same moment complete it once, with all of them", async () => {
  const count = 40;
  const run = await startRun(db, graph([["m", "after"]], { m: { type: "map", over: "$.list" } }), {
    list: Array.from({ length: count }, (_, index) => index),
  });
  const names = await run.claim();
  const tasks = await Promise.all(names.map((name) => run.lease(name)));
  await Promise.all(
    tasks.map((task) => db.rpc("worker", "complete_task", report(task, { output_data: task.input_data }))),
  );
  assertEquals(await run.output("m"), Array.from({ length: count }, (_, index) => index));
  assertEquals([await times(run, "m", "completed"), await times(run, "after", "pending")], [1, 1]);
});

Deno.test("of a failure for good and a completion at the same moment one is refused, and nothing is left open", async () => {
  const join = graph([["a", "join"], ["b", "join"]], { a: oneAttempt });
  const run = await startRun(db, { ...join, edges: join.edges.map((edge) => ({ ...edge, when: "$.go == 1" })) });
  await run.claim();
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("complete_task", report(await run.lease("a"), { status: "failed" }));
  const pending = second.rpc("complete_task", report(await run.lease("b"))).catch((error) => error.hint);
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals([await pending, await run.statuses()], [
    "task_lease_lost",
    { a: "failed", b: "cancelled", join: "cancelled" },
  ]);
});

Deno.test("two workflows inside that end at the same moment open the join behind them once", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["x", "__end__"]]));
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  const inside = { type: "workflow", workflow_id };
  const run = await startRun(db, graph([["one", "join"], ["two", "join"]], { one: inside, two: inside }), {}, project);
  const children = await db.sql`
    select id from public.workflow_executions where project_id = ${project.id} and parent_task_id is not null`;
  const tasks = await Promise.all(children.map(({ id }) => runOf(db, project, id).lease("x")));
  await Promise.all(tasks.map((task) => db.rpc("worker", "complete_task", report(task, { output_data: { x: 1 } }))));
  assertEquals([(await run.statuses()).join, await times(run, "join", "pending")], ["pending", 1]);
});

Deno.test("many equal reports at once in a loop count once: the loop turns once", async () => {
  const run = await startRun(db, {
    ...graph([["a", "b"]]),
    edges: [
      { source: "a", target: "a", when: "$.again == true", loop: { max_iterations: 5 } },
      { source: "a", target: "b" },
    ],
  });
  const task = await run.lease("a");
  const request = report(task, { output_data: { again: true } });
  await Promise.all(Array.from({ length: 8 }, () => db.rpc("worker", "complete_task", request)));
  assertEquals(await run.statuses(), { "a": "completed", "a#1": "pending", "b": "blocked" });
});
