// complete_task: a node may run another workflow of the project, and takes its final state as its output.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph, type Project, report } from "../../support/factories.ts";
import { oneAttempt, type Run, runOf, startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A published workflow of the project. */
async function publish(project: Project, definition: unknown): Promise<string> {
  const workflow_id = await createWorkflow(db, project, definition);
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  return workflow_id;
}

const outer = (workflow_id: string, fields: Record<string, unknown> = {}) =>
  graph([["prepare", "inside"], ["inside", "after"]], { inside: { type: "workflow", workflow_id, ...fields } });

/** The execution that runs inside that node. */
async function inside(run: Run, name = "inside"): Promise<Run> {
  const { id } = await run.row(name);
  const [child] = await db.sql`
    select id from public.workflow_executions where parent_task_id = ${id} order by created_at desc limit 1`;
  if (!child) throw new Error(`Nothing runs inside ${name}`);
  return runOf(db, run.project, child.id);
}

/** prepare is done and the workflow inside has begun. */
async function begun(child: unknown = graph([["x", "y"]]), fields: Record<string, unknown> = {}) {
  const project = await createProject(db);
  const run = await startRun(db, outer(await publish(project, child), fields), { goal: 1 }, project);
  await run.complete("prepare", { plan: "p" });
  return { run, child: await inside(run) };
}

Deno.test("the workflow starts when its node's turn has come, with the task's input", async () => {
  const { run, child } = await begun();
  assertEquals([(await run.statuses()).inside, await child.status()], ["waiting", "running"]);
  assertEquals((await child.execution()).input, { prepare: { plan: "p" } });
});

Deno.test("an input mapping decides what the workflow is given", async () => {
  const { child } = await begun(undefined, { input: { goal: "$.goal", plan: "$.plan", tone: "calm" } });
  assertEquals((await child.execution()).input, { goal: 1, plan: "p", tone: "calm" });
});

Deno.test("its final state is the task's output, and what lies behind goes on", async () => {
  const { run, child } = await begun();
  await child.complete("x", { x: 1 });
  assertEquals((await child.complete("y", { y: 2 })).execution.status, "completed");
  const state = { prepare: { plan: "p" }, x: 1, y: 2 };
  assertEquals([await run.output("inside"), await run.input("after")], [state, { inside: state }]);
  assertEquals((await run.complete("after")).execution.status, "completed");
});

Deno.test("the node's task is nobody's to claim", async () => {
  const { run } = await begun();
  assertEquals(await run.claim({ agent_types: ["workflow", "architect"] }), ["x"]);
});

Deno.test("its failure is the task's failure, and fails the execution around it", async () => {
  const { run, child } = await begun(graph([["x", "y"]], { x: oneAttempt }));
  await child.fail("x", "broken");
  assertEquals(await run.statuses(), { prepare: "completed", inside: "failed", after: "cancelled" });
  assertStringIncludes((await run.execution()).error_message, "broken");
});

for (const [on_failure, status, after] of [["skip", "skipped", "skipped"], ["continue", "failed", "pending"]]) {
  Deno.test(`its failure can be passed over, as ${on_failure}`, async () => {
    const { run, child } = await begun(graph([["x", "y"]], { x: oneAttempt }), { on_failure });
    await child.fail("x");
    assertEquals(await run.statuses(), { prepare: "completed", inside: status, after });
  });
}

Deno.test("cancelling the execution around it cancels it, and its workers learn it", async () => {
  const { run, child } = await begun();
  const { id: task_id, lease_token } = await child.lease("x");
  await db.rpc(run.project.owner.actor, "cancel_execution", { execution_id: run.id });
  assertEquals([await child.status(), await child.statuses()], ["cancelled", { x: "cancelled", y: "cancelled" }]);
  assertEquals((await db.rpc("worker", "heartbeat_task", { task_id, lease_token })).cancelled, true);
});

Deno.test("cancelling it fails its task", async () => {
  const { run, child } = await begun();
  await db.rpc(run.project.owner.actor, "cancel_execution", { execution_id: child.id, reason: "No longer." });
  assertEquals([await run.status(), (await run.statuses()).inside], ["failed", "failed"]);
});

Deno.test("the failure of the execution around it cancels it", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["x", "y"]]));
  const run = await startRun(
    db,
    graph([["inside", "end"], ["b", "end"]], { inside: { type: "workflow", workflow_id }, b: oneAttempt }),
    {},
    project,
  );
  const child = await inside(run);
  await run.fail("b");
  assertEquals([await run.status(), await child.status()], ["failed", "cancelled"]);
});

Deno.test("a retry takes the workflow inside along: it goes on where it failed", async () => {
  const { run, child } = await begun(graph([["x", "y"]], { y: oneAttempt }));
  await child.complete("x", { x: 1 });
  await child.fail("y");
  await db.rpc(run.project.editor.actor, "retry_execution", { execution_id: run.id });
  assertEquals([(await run.statuses()).inside, await child.statuses()], ["waiting", { x: "completed", y: "pending" }]);
  await child.complete("y");
  assertEquals((await run.statuses()).after, "pending");
});

Deno.test("what failed inside is retried from outside only", async () => {
  const { run, child } = await begun(graph([["x", "y"]], { x: oneAttempt }));
  await child.fail("x");
  const refusal = await db.refusal(run.project.editor.actor, "retry_execution", { execution_id: child.id });
  assertEquals(refusal.code, "execution_not_failed");
});

Deno.test("the current version runs, unless the node names one, as a number or a string", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["old", "__end__"]]));
  const pinned = await createWorkflow(
    db,
    project,
    graph([["inside", "after"]], { inside: { type: "workflow", workflow_id, version: 1 } }),
  );
  const written = await createWorkflow(
    db,
    project,
    graph([["inside", "after"]], { inside: { type: "workflow", workflow_id, version: "1" } }),
  );
  const newest = await createWorkflow(
    db,
    project,
    graph([["inside", "after"]], { inside: { type: "workflow", workflow_id } }),
  );
  for (const id of [pinned, written, newest]) {
    await db.rpc(project.editor.actor, "publish_workflow", { workflow_id: id });
  }
  await db.sql`update public.workflows set definition = ${
    db.sql.json(graph([["new", "__end__"]]))
  } where id = ${workflow_id}`;
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  const nodesInside = async (id: string) => {
    const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id: id });
    return Object.keys(await (await inside(runOf(db, project, execution.id))).statuses());
  };
  assertEquals([await nodesInside(pinned), await nodesInside(written), await nodesInside(newest)], [
    ["old"],
    ["old"],
    ["new"],
  ]);
});

Deno.test("a workflow that completes at once completes its task at once", async () => {
  const project = await createProject(db);
  const never = { ...graph([["__start__", "x"]]), edges: [{ source: "__start__", target: "x", when: "$.go == true" }] };
  const workflow_id = await publish(project, never);
  const run = await startRun(
    db,
    graph([["inside", "after"]], { inside: { type: "workflow", workflow_id } }),
    { a: 1 },
    project,
  );
  assertEquals([await run.statuses(), await run.output("inside")], [{ inside: "completed", after: "pending" }, {
    a: 1,
  }]);
});

Deno.test("a workflow in a loop runs anew in every turn", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["x", "__end__"]]));
  const run = await startRun(
    db,
    {
      ...graph([["inside", "check"]], { inside: { type: "workflow", workflow_id } }),
      edges: [
        { source: "inside", target: "check" },
        { source: "check", target: "inside", when: "$.again == true", loop: { max_iterations: 1 } },
      ],
    },
    {},
    project,
  );
  await (await inside(run)).complete("x", { n: 1 });
  await run.complete("check", { again: true });
  await (await inside(run, "inside#1")).complete("x", { n: 2 });
  assertEquals([(await run.output("inside")).n, (await run.output("inside#1")).n], [1, 2]);
});

Deno.test("workflows nest ten deep; an eleventh fails, and everything around it", async () => {
  const project = await createProject(db);
  let workflow_id = await publish(project, graph([["leaf", "__end__"]]));
  for (let depth = 0; depth < 10; depth++) {
    workflow_id = await publish(project, graph([["inside", "__end__"]], { inside: { type: "workflow", workflow_id } }));
  }
  const deep = await startRun(
    db,
    graph([["inside", "__end__"]], { inside: { type: "workflow", workflow_id } }),
    {},
    project,
  );
  assertEquals(await deep.status(), "failed");
  assertMatch((await deep.execution()).error_message, /nested more than 10 deep/);
  const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id });
  assertEquals(execution.status, "running");
  const [leaf] = (await db.rpc("worker", "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    project_id: project.id,
  })).tasks;
  await db.rpc("worker", "complete_task", { task_id: leaf.id, lease_token: leaf.lease_token, status: "completed" });
  assertEquals((await runOf(db, project, execution.id).execution()).status, "completed");
});

Deno.test("a workflow that contains itself ends by the limit of nesting", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["x", "__end__"]]));
  const itself = graph([["inside", "__end__"]], { inside: { type: "workflow", workflow_id } });
  await db.sql`update public.workflows set definition = ${db.sql.json(itself)} where id = ${workflow_id}`;
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id });
  assertEquals(execution.status, "failed");
});

Deno.test("a map inside a workflow inside works, also when the last element ends all of them", async () => {
  const { run, child } = await begun(graph([["m", "__end__"]], { m: { type: "map", over: "$.list" } }), {
    input: { list: [1, 2] },
  });
  await child.complete("m[1]", "b");
  await child.complete("m[0]", "a");
  assertEquals([(await run.output("inside")).m, (await run.statuses()).after], [["a", "b"], "pending"]);
});

for (const around of ["plain edges", "a loop"]) {
  Deno.test(`a join inside waits for all its predecessors, in a graph with ${around} around it`, async () => {
    const project = await createProject(db);
    const workflow_id = await publish(project, graph([["x", "join"], ["y", "join"], ["z", "join"]]));
    const definition = graph([["inside", "after"]], { inside: { type: "workflow", workflow_id } });
    const loop = { source: "after", target: "inside", when: "$.again == true", loop: { max_iterations: 1 } };
    const run = await startRun(
      db,
      { ...definition, edges: [...definition.edges, ...(around === "a loop" ? [loop] : [])] },
      {},
      project,
    );
    const child = await inside(run);
    await child.claim();
    await child.complete("y", 1);
    await child.complete("x", 2);
    assertEquals((await child.statuses()).join, "blocked");
    await child.complete("z", 3);
    assertEquals(await child.input("join"), { x: 2, y: 1, z: 3 });
    await child.complete("join");
    assertEquals((await run.statuses()).after, "pending");
  });
}

Deno.test("a retry that fails again at once leaves nothing running, of several workflows inside either", async () => {
  const project = await createProject(db);
  const waits = await publish(project, graph([["review", "__end__"]], { review: { type: "approval" } }));
  const fails = await publish(project, graph([["m", "__end__"]], { m: { type: "map", over: "$.list" } }));
  const run = await startRun(
    db,
    graph([["one", "end"], ["two", "end"]], {
      one: { type: "workflow", workflow_id: waits },
      two: { type: "workflow", workflow_id: fails, input: {} },
    }),
    {},
    project,
  );
  assertEquals(await run.status(), "failed");
  await db.rpc(project.editor.actor, "retry_execution", { execution_id: run.id });
  const open = await db.sql`
    select x.status, t.status as task from public.workflow_executions as x
    left join public.agent_tasks as t on t.workflow_execution_id = x.id and t.status in ('blocked', 'pending', 'running', 'waiting')
    where x.project_id = ${project.id} and (x.status = 'running' or t.id is not null)`;
  assertEquals([...open], []);
});

Deno.test("of two workflows inside that fail again at once, the first of the graph fails and ends the other", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["m", "__end__"]], { m: { type: "map", over: "$.list" } }));
  const inside = { type: "workflow", workflow_id };
  for (let n = 0; n < 8; n++) {
    const run = await startRun(db, graph([["one", "end"], ["two", "end"]], { one: inside, two: inside }), {}, project);
    await db.rpc(project.editor.actor, "retry_execution", { execution_id: run.id });
    assertEquals(await run.statuses(), { one: "failed", two: "cancelled", end: "cancelled" });
  }
});

Deno.test("inside an execution whose reports take turns, reports take turns too, whatever the graph there", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["x", "z"], ["y", "z"]]));
  const definition = graph([["inside", "after"], ["other", "after"]], {
    inside: { type: "workflow", workflow_id },
    after: { join: "any" },
  });
  const child = await inside(await startRun(db, definition, {}, project));
  const [x, y] = [await child.lease("x"), await child.lease("y")];
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("complete_task", report(x, { output_data: {} }));
  const pending = second.rpc("complete_task", report(y, { output_data: {} }));
  await waitUntilBlocked(db, second, pending);
  const [waits] = await db.sql`select wait_event from pg_stat_activity where pid = ${second.pid}`;
  assertEquals(waits?.wait_event, "advisory");
  await first.commit();
  await pending;
});

const mapOverNothing = { type: "map", over: "$.nope" };

Deno.test("the last report of a plain workflow inside is taken where what lies behind it fails the execution", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["x", "__end__"]]));
  const definition = graph([["inside", "m"]], { inside: { type: "workflow", workflow_id }, m: mapOverNothing });
  const run = await startRun(db, definition, {}, project);
  await (await inside(run)).complete("x");
  assertEquals([await run.status(), await run.statuses()], ["failed", { inside: "completed", m: "failed" }]);
});

Deno.test("a batch with such a report answers it and all the others", async () => {
  const project = await createProject(db);
  const workflow_id = await publish(project, graph([["x", "__end__"]]));
  const definition = graph([["inside", "m"]], { inside: { type: "workflow", workflow_id }, m: mapOverNothing });
  const run = await startRun(db, definition, {}, project);
  const other = await startRun(db, graph([["a", "b"]]));
  const results = [report(await other.lease("a")), report(await (await inside(run)).lease("x"))];
  const answer = await db.rpc("worker", "complete_tasks", { results });
  assertEquals(answer.results.map((one: { ok: boolean }) => one.ok), [true, true]);
  assertEquals([await run.status(), (await other.statuses()).a], ["failed", "completed"]);
});

Deno.test("a final state over 1 MiB of a plain workflow inside fails its task, and what it runs inside of", async () => {
  const { run, child } = await begun();
  await child.complete("x", { x: "x".repeat(600_000) });
  assertEquals((await child.complete("y", { y: "y".repeat(600_000) })).execution.status, "completed");
  assertEquals((await run.statuses()).inside, "failed");
  assertStringIncludes((await run.execution()).error_message, "over 1 MiB");
});
