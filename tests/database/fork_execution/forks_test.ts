// fork_execution: another try from a node on, which keeps the work that was finished before it.
import { assertEquals, assertNotEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, type Run, runOf, startRun } from "../../support/run.ts";

const db = await shareDatabase();

async function fork(run: Run, from_node: string, fields = {}, actor: Actor = run.project.editor.actor): Promise<Run> {
  const { execution } = await db.rpc(actor, "fork_execution", { execution_id: run.id, from_node, ...fields });
  return runOf(db, run.project, execution.id);
}

const line = graph([["a", "b"], ["b", "c"], ["x", "c"]]);

async function finished() {
  const run = await startRun(db, line, { goal: 1 });
  for (const name of ["a", "b", "x", "c"]) await run.complete(name, { [name]: 1 });
  return run;
}

Deno.test("the node and what lies behind it begin anew, everything else is kept", async () => {
  const run = await finished();
  const forked = await fork(run, "b");
  assertEquals(await forked.statuses(), { a: "completed", x: "completed", b: "pending", c: "blocked" });
  assertEquals([await forked.output("a"), await forked.input("b")], [{ a: 1 }, { a: { a: 1 } }]);
});

Deno.test("a fork runs to its end, and the state folds kept and new outputs alike", async () => {
  const forked = await fork(await finished(), "b");
  await forked.complete("b", { b: 2 });
  assertEquals(await forked.input("c"), { b: { b: 2 }, x: { x: 1 } });
  assertEquals((await forked.complete("c", { c: 2 })).execution.status, "completed");
  assertEquals((await forked.execution()).state, { goal: 1, a: 1, b: 2, x: 1, c: 2 });
});

Deno.test("the source stays as it was", async () => {
  const run = await finished();
  const before = [await run.execution(), await run.statuses(), await run.events()];
  const forked = await fork(run, "a");
  await forked.complete("a", { a: 2 });
  assertEquals([await run.execution(), await run.statuses(), await run.events()], before);
});

Deno.test("kept tasks are copies, the execution names where it comes from, who made it, and its version", async () => {
  const run = await finished();
  const answer = await db.rpc(run.project.editor.actor, "fork_execution", { execution_id: run.id, from_node: "b" });
  assertEquals(Object.keys(answer).toSorted(), ["execution", "tasks"]);
  assertEquals([answer.execution.forked_from, answer.execution.version, answer.execution.started_by], [
    run.id,
    1,
    run.project.editor.id,
  ]);
  assertNotEquals(answer.tasks[0].id, (await run.row("a")).id);
});

Deno.test("a fork from the first node keeps only what it does not lead to", async () => {
  const forked = await fork(await finished(), "a");
  assertEquals(await forked.statuses(), { a: "pending", x: "completed", b: "blocked", c: "blocked" });
});

Deno.test("an input is laid over the source's input, and what begins anew reads it", async () => {
  const run = await startRun(db, graph([["a", "b"]], { b: { input: { goal: "$.goal", tone: "$.tone" } } }), {
    goal: 1,
    tone: "calm",
  });
  await run.complete("a");
  const forked = await fork(run, "b", { input: { goal: 2 } });
  assertEquals([(await forked.execution()).input, await forked.input("b")], [
    { goal: 2, tone: "calm" },
    { goal: 2, tone: "calm" },
  ]);
});

Deno.test("what was unfinished begins anew too, and so does what lies behind it", async () => {
  const run = await startRun(db, line);
  await run.claim();
  await run.complete("a");
  const forked = await fork(run, "b");
  assertEquals(await forked.statuses(), { a: "completed", x: "pending", b: "pending", c: "blocked" });
  assertEquals((await run.statuses()).x, "running");
});

Deno.test("what began with the first of its ways is kept when another of them is unfinished", async () => {
  const run = await startRun(db, graph([["a", "first"], ["b", "first"], ["first", "c"]], { first: { join: "any" } }));
  for (const name of ["a", "first", "c"]) await run.complete(name, { [name]: 1 });
  assertEquals((await run.statuses()).b, "cancelled");
  const forked = await fork(run, "c");
  assertEquals(await forked.statuses(), { a: "completed", b: "pending", first: "completed", c: "pending" });
  await forked.complete("b", { b: 2 });
  await forked.complete("c", { c: 2 });
  assertEquals((await forked.execution()).state, { a: 1, first: 1, b: 2, c: 2 });
});

Deno.test("what began with the first of its ways begins anew when one of them lies behind the node", async () => {
  const run = await startRun(db, graph([["a", "first"], ["b", "first"], ["first", "c"]], { first: { join: "any" } }));
  for (const name of ["a", "first"]) await run.complete(name);
  assertEquals(await (await fork(run, "b")).statuses(), {
    a: "completed",
    b: "pending",
    first: "pending",
    c: "blocked",
  });
});

for (const ending of ["failed", "cancelled"]) {
  Deno.test(`a ${ending} execution can be forked from where it stood`, async () => {
    const run = await startRun(db, graph([["a", "b"], ["b", "c"]], { b: oneAttempt }));
    await run.complete("a", { from: "a" });
    if (ending === "failed") await run.fail("b");
    else await db.rpc("worker", "cancel_execution", { execution_id: run.id });
    const forked = await fork(run, "b");
    assertEquals(await forked.statuses(), { a: "completed", b: "pending", c: "blocked" });
    assertEquals((await forked.row("b")).attempt, 0);
  });
}

Deno.test("a fork may be forked again", async () => {
  const first = await fork(await finished(), "b");
  await first.complete("b", { b: 2 });
  const second = await fork(first, "c");
  assertEquals(await second.statuses(), { a: "completed", x: "completed", b: "completed", c: "pending" });
  assertEquals(await second.output("b"), { b: 2 });
});

Deno.test("a fork runs the version of its source, not the newest", async () => {
  const run = await finished();
  const { workflow_id } = await run.execution();
  await db.sql`update public.workflows set definition = ${db.sql.json(graph([["z", "y"]]))} where id = ${workflow_id}`;
  await db.rpc(run.project.editor.actor, "publish_workflow", { workflow_id });
  assertEquals(Object.keys(await (await fork(run, "b")).statuses()), ["a", "x", "b", "c"]);
});

Deno.test("branches are decided again on the new state", async () => {
  const definition = {
    ...graph([["a", "yes"], ["a", "no"]]),
    edges: [
      { source: "a", target: "yes", when: "$.ok == true" },
      { source: "a", target: "no", when: "$.ok == false" },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("a", { ok: true });
  const forked = await fork(run, "a");
  await forked.complete("a", { ok: false });
  assertEquals(await forked.statuses(), { a: "completed", yes: "skipped", no: "pending" });
});

Deno.test("a kept node's branch not taken stays skipped, and one that leads to the node begins it", async () => {
  const definition = {
    ...graph([["a", "yes"], ["a", "no"], ["yes", "end"], ["no", "end"]]),
    edges: [
      { source: "a", target: "yes", when: "$.ok == true" },
      { source: "a", target: "no", when: "$.ok == false" },
      { source: "yes", target: "end" },
      { source: "no", target: "end" },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("a", { ok: true });
  await run.complete("yes");
  await run.complete("end");
  const forked = await fork(run, "end");
  assertEquals(await forked.statuses(), { a: "completed", yes: "completed", no: "skipped", end: "pending" });
});

Deno.test("a fork from a node behind a branch that is not taken skips it, and the execution completes", async () => {
  const definition = {
    ...graph([["a", "b"]]),
    edges: [{ source: "a", target: "b", when: "$.go == true" }],
  };
  const run = await startRun(db, definition);
  await run.complete("a", { go: false });
  const forked = await fork(run, "b");
  assertEquals([await forked.status(), await forked.statuses()], ["completed", { a: "completed", b: "skipped" }]);
});

Deno.test("a loop is kept whole, with all its turns", async () => {
  const definition = {
    ...graph([["a", "b"], ["b", "c"]]),
    edges: [
      { source: "a", target: "b" },
      { source: "b", target: "a", when: "$.again == true", loop: { max_iterations: 3 } },
      { source: "b", target: "c" },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("a", { a: 0 });
  await run.complete("b", { again: true });
  await run.complete("a#1", { a: 1 });
  await run.complete("b#1", { again: false });
  const forked = await fork(run, "c");
  assertEquals(await forked.statuses(), {
    "a": "completed",
    "a#1": "completed",
    "b": "completed",
    "b#1": "completed",
    "c": "pending",
  });
  assertEquals(await forked.state(), { a: 1, again: false });
});

Deno.test("a fork from inside a loop begins the whole loop anew", async () => {
  const definition = {
    ...graph([["s", "a"], ["a", "b"], ["b", "c"]]),
    edges: [
      { source: "s", target: "a" },
      { source: "a", target: "b" },
      { source: "b", target: "a", when: "$.again == true", loop: { max_iterations: 1 } },
      { source: "b", target: "c" },
    ],
  };
  const run = await startRun(db, definition);
  await run.complete("s", { s: 1 });
  await run.complete("a");
  await run.complete("b", { again: true });
  await run.complete("a#1");
  await run.complete("b#1", { again: false });
  const forked = await fork(run, "b");
  assertEquals(await forked.statuses(), { s: "completed", a: "pending", b: "blocked", c: "blocked" });
  await forked.complete("a");
  await forked.complete("b", { again: true });
  assertEquals((await forked.statuses())["a#1"], "pending");
});

Deno.test("a loop that ran out of its turns is begun anew, wherever the fork begins", async () => {
  const definition = {
    ...graph([["a", "b"], ["b", "c"], ["s", "d"]]),
    edges: [
      { source: "a", target: "b" },
      { source: "b", target: "a", when: "$.again == true", loop: { max_iterations: 1, on_exhausted: "fail" } },
      { source: "b", target: "c" },
      { source: "s", target: "d" },
    ],
  };
  const run = await startRun(db, definition);
  for (const name of ["a", "b", "a#1", "s"]) await run.complete(name, { again: true });
  assertEquals((await run.complete("b#1", { again: true })).execution.status, "failed");
  assertEquals(await (await fork(run, "d")).statuses(), {
    a: "pending",
    b: "blocked",
    c: "blocked",
    s: "completed",
    d: "pending",
  });
});

Deno.test("a map is kept with its elements, or made anew from the new state", async () => {
  const run = await startRun(db, graph([["m", "b"]], { m: { type: "map", over: "$.files" } }), { files: [1, 2] });
  await run.complete("m[0]", "x");
  await run.complete("m[1]", "y");
  const kept = await fork(run, "b");
  assertEquals([await kept.output("m"), await kept.output("m[1]"), (await kept.statuses()).b], [
    ["x", "y"],
    "y",
    "pending",
  ]);
  const anew = await fork(run, "m", { input: { files: [1, 2, 3] } });
  assertEquals(Object.keys(await anew.statuses()), ["m", "m[0]", "m[1]", "m[2]", "b"]);
});

Deno.test("an approval that was decided is kept with its decision; one forked from waits for people again", async () => {
  const run = await startRun(db, graph([["review", "b"]], { review: { type: "approval" } }));
  await run.decide("review", run.project.owner);
  assertEquals(await (await fork(run, "b")).statuses(), { review: "completed", b: "pending" });
  const anew = await fork(run, "review");
  assertEquals(await anew.statuses(), { review: "waiting", b: "blocked" });
  assertEquals((await anew.decide("review", run.project.owner, "rejected")).execution.status, "completed");
});

Deno.test("with another input an owner's approval is asked for again, and what stands behind it waits", async () => {
  const definition = graph([["review", "b"], ["b", "c"]], { review: { type: "approval", role: "owner" } });
  const run = await startRun(db, definition, { target: "staging" });
  await run.decide("review", run.project.owner);
  await run.complete("b", 1);
  const same = await fork(run, "c", { input: { target: "staging" } });
  assertEquals(await same.statuses(), { review: "completed", b: "completed", c: "pending" });
  const other = await fork(run, "c", { input: { target: "production" } });
  assertEquals(await other.statuses(), { review: "waiting", b: "blocked", c: "blocked" });
  const decisions = await db.sql`select from public.task_decisions where task_id = ${(await other.row("review")).id}`;
  assertEquals(decisions.length, 0);
});

Deno.test("with another input an approval inside a workflow inside is asked for again, too", async () => {
  const source = await startRun(db, graph([["review", "x"]], { review: { type: "approval" } }));
  const { workflow_id } = await source.execution();
  const run = await startRun(
    db,
    graph([["inside", "b"]], { inside: { type: "workflow", workflow_id } }),
    { target: 1 },
    source.project,
  );
  const { id } = await db.sql<{ id: string }[]>`
    select x.id from public.workflow_executions as x join public.agent_tasks as t on t.id = x.parent_task_id
    where t.workflow_execution_id = ${run.id}`.then(([row]) => row ?? { id: "" });
  const inside = runOf(db, run.project, id);
  await inside.decide("review", run.project.owner);
  await inside.complete("x", 1);
  const same = await fork(run, "b");
  assertEquals(await same.statuses(), { inside: "completed", b: "pending" });
  // What was kept there ran in the execution that it is a fork of.
  for (const source of [run, same]) {
    const other = await fork(source, "b", { input: { target: 2 } });
    assertEquals(await other.statuses(), { inside: "waiting", b: "blocked" });
  }
});

Deno.test("who decided a kept approval may say the same again, and nothing else", async () => {
  const run = await startRun(db, graph([["review", "b"]], { review: { type: "approval" } }));
  await run.decide("review", run.project.owner);
  const kept = await fork(run, "b");
  assertEquals((await kept.decide("review", run.project.owner)).task.status, "completed");
  const task_id = (await kept.row("review")).id;
  const other = await db.refusal(run.project.owner.actor, "decide_task", { task_id, decision: "rejected" });
  assertEquals(other.code, "already_decided");
});

Deno.test("a wide join of a fork waits for all its edges, kept ones and new ones", async () => {
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
  const run = await startRun(db, graph(names.map((name) => [name, "join"])));
  await run.claim();
  for (const name of names.slice(0, 30)) await run.complete(name, name);
  const forked = await fork(run, "n0");
  for (const name of [...names.slice(31), "n0"]) await forked.complete(name, `${name} again`);
  assertEquals((await forked.statuses()).join, "blocked");
  await forked.complete("n30", "the last");
  const input = await forked.input("join");
  assertEquals([Object.keys(input).length, input.n0, input.n1], [40, "n0 again", "n1"]);
});

Deno.test("a workflow that ran inside is kept by its output; forked from, it runs anew", async () => {
  const source = await startRun(db, graph([["x", "__end__"]]));
  const { workflow_id } = await source.execution();
  const run = await startRun(
    db,
    graph([["inside", "b"]], { inside: { type: "workflow", workflow_id } }),
    {},
    source.project,
  );
  const childOf = async (one: Run) => {
    const [child] = await db.sql`
      select id from public.workflow_executions where parent_task_id = ${(await one.row("inside")).id}`;
    return child ? runOf(db, run.project, child.id) : undefined;
  };
  await (await childOf(run))?.complete("x", { x: 1 });
  const kept = await fork(run, "b");
  assertEquals([await kept.output("inside"), await childOf(kept)], [{ x: 1 }, undefined]);
  const anew = await fork(run, "inside");
  await (await childOf(anew))?.complete("x", { x: 2 });
  assertEquals([await anew.output("inside"), await anew.statuses()], [{ x: 2 }, { inside: "completed", b: "pending" }]);
});

Deno.test("a failure that was passed over is kept", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue" } }));
  await run.fail("a", "broken");
  const forked = await fork(run, "b");
  assertEquals([await forked.statuses(), (await forked.row("a")).error_message], [
    { a: "failed", b: "pending" },
    "broken",
  ]);
});

Deno.test("kept tasks carry no lease, and a lease of the source opens nothing in the fork", async () => {
  const run = await startRun(db, line);
  await run.claim();
  const { lease_token } = await run.lease("x");
  const forked = await fork(run, "c");
  await forked.claim();
  const task_id = (await forked.row("x")).id;
  const refusal = await db.refusal("worker", "complete_task", { task_id, lease_token, status: "completed" });
  assertEquals(refusal.code, "task_lease_lost");
  await expireLeases(db, forked.id);
  assertEquals((await forked.claim()).toSorted(), ["a", "x"]);
});

Deno.test("a fork is written down with its source, its node and where every task stands", async () => {
  const run = await finished();
  const forked = await fork(run, "b");
  const [first, ...rest] = await forked.events();
  assertEquals(rest, []);
  assertEquals(first, {
    type: "execution.forked",
    task: null,
    data: { version: 1, forked_from: run.id, from_node: "b", completed: ["a", "x"], pending: ["b"] },
  });
});

Deno.test("a node that the version does not have is node_not_found", async () => {
  const run = await finished();
  for (const from_node of ["ghost", "__start__", "__end__", null]) {
    const refusal = await db.refusal("worker", "fork_execution", { execution_id: run.id, from_node });
    assertEquals([refusal.code, refusal.sqlstate], ["node_not_found", "PT404"]);
  }
});

Deno.test("an input that is no object, or over 1 MiB with the source's, is refused and nothing is made", async () => {
  const run = await finished();
  const codeOf = async (input: unknown) =>
    (await db.refusal("worker", "fork_execution", { execution_id: run.id, from_node: "b", input })).code;
  assertEquals([await codeOf([{}]), await codeOf({ x: "x".repeat(1_048_576) })], [
    "validation_failed",
    "payload_too_large",
  ]);
  assertEquals((await db.sql`select from public.workflow_executions where forked_from = ${run.id}`).length, 0);
});

Deno.test("a fork of a fork has every node, also one whose first turn a loop had cancelled", async () => {
  const definition = graph([["slow", "b"], ["b", "any"]], { any: { join: "any" } });
  const edges = [
    ...["slow", "any", "other"].map((target) => ({ source: "__start__", target })),
    ...definition.edges,
    { source: "any", target: "b", label: "again", loop: { max_iterations: 1 } },
    { source: "any", target: "__end__", label: "done" },
    { source: "other", target: "__end__" },
  ];
  const other = { id: "other", type: "agent", agent_type: "architect" };
  const run = await startRun(db, { nodes: [...definition.nodes, other], edges });
  // It begins a turn while b waits for its first.
  await run.complete("any", {}, { label: "again" });
  for (const name of ["slow", "b#1"]) await run.complete(name);
  await run.complete("any#1", {}, { label: "done" });
  const first = await fork(run, "other");
  assertEquals(await first.statuses(), {
    slow: "completed",
    "b#1": "completed",
    any: "completed",
    "any#1": "completed",
    other: "pending",
  });
  const second = await fork(first, "slow");
  assertEquals(await second.statuses(), { slow: "pending", b: "blocked", any: "pending", other: "pending" });
});

Deno.test("an owner, an editor and a worker may fork; a viewer and an admin who is no member may not", async () => {
  const run = await finished();
  for (const actor of [run.project.owner.actor, run.project.editor.actor, "worker"] as const) {
    assertEquals(await (await fork(run, "b", {}, actor)).status(), "running");
  }
  const codeOf = async (actor: Actor) =>
    (await db.refusal(actor, "fork_execution", { execution_id: run.id, from_node: "b" })).code;
  assertEquals(await codeOf(run.project.viewer.actor), "forbidden");
  assertEquals(await codeOf((await createAdmin(db)).actor), "forbidden");
  assertEquals(await codeOf(run.project.stranger.actor), "execution_not_found");
  assertEquals(
    (await db.refusal("anon", "fork_execution", { execution_id: run.id, from_node: "b" })).sqlstate,
    "42501",
  );
});

Deno.test("nothing is forked in an archived project", async () => {
  const run = await finished();
  await db.sql`update public.projects set status = 'archived' where id = ${run.project.id}`;
  const refusal = await db.refusal("worker", "fork_execution", { execution_id: run.id, from_node: "b" });
  assertEquals(refusal.code, "project_not_active");
});
