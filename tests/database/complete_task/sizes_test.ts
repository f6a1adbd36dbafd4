// complete_task: what would make an input or a gathered output too large is refused, and the task goes on running.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { callDoor, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, executionRow, expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";

const db = await shareDatabase();
const large = "x".repeat(700_000);

/** The refusal of that report, and that nothing of it is left. */
async function assertTooLarge(definition: unknown, input: unknown, first: string, last: string): Promise<void> {
  const run = await startRun(db, definition, input);
  await run.claim();
  await run.complete(first, large);
  const before = [await run.statuses(), await run.events()];
  const refusal = await run.refused(last, { output_data: large });
  assertEquals([refusal.code, refusal.sqlstate], ["payload_too_large", "PT413"]);
  assertEquals([await run.statuses(), await run.events()], before);
  assertEquals((await run.complete(last, "small")).task.status, "completed");
}

const join = graph([["a", "join"], ["b", "join"]]);

Deno.test("two outputs that together are too large an input for a join", async () => {
  await assertTooLarge(join, {}, "a", "b");
});

Deno.test("two outputs that together are too large an input, in a graph with conditions", async () => {
  const edges = join.edges.map((edge) => ({ ...edge, when: "$.go == true" }));
  await assertTooLarge({ ...join, edges }, { go: true }, "a", "b");
});

Deno.test("the outputs of a map that are too large together", async () => {
  const map = graph([["build", "after"]], { build: { type: "map", over: "$.files" } });
  await assertTooLarge(map, { files: [1, 2] }, "build[0]", "build[1]");
});

Deno.test("an output that is too large an input for an approval", async () => {
  const definition = graph([["a", "join"], ["b", "join"]], { join: { type: "approval" } });
  await assertTooLarge(definition, {}, "a", "b");
});

Deno.test("a mapping keeps an input small, however large the outputs are", async () => {
  const run = await startRun(db, graph([["a", "join"], ["b", "join"]], { join: { input: { size: "$.a.size()" } } }));
  await run.claim();
  await run.complete("a", large);
  await run.complete("b", large);
  assertEquals((await run.statuses()).join, "pending");
});

Deno.test("an entry whose mapping makes too large an input is refused at the start, in every kind of graph", async () => {
  const fields = { a: { input: { one: "$.text", two: "$.text" } } };
  const plain = graph([["a", "b"]], fields);
  const withCondition = { ...plain, edges: [{ source: "a", target: "b", when: "$.go == true" }] };
  for (const definition of [plain, withCondition]) {
    const project = await createProject(db);
    const workflow_id = await createWorkflow(db, project, definition);
    const refusal = await db.refusal("worker", "start_workflow", { workflow_id, input: { text: large } });
    assertEquals(refusal.code, "payload_too_large");
  }
});

Deno.test("an input that grows too large when a dead worker is found stops no claim of others", async () => {
  const run = await startRun(
    db,
    graph([["a", "join"], ["b", "join"], ["c", "join"]], { a: { ...oneAttempt, on_failure: "continue" } }),
  );
  await run.claim();
  await run.complete("b", large);
  await run.complete("c", large);
  await expireLeases(db, run.id);
  const other = await startRun(db, graph([["x", "y"]]));
  assertEquals(await other.claim(), ["x"]);
});

/** A condition that looks at every list of four numbers of a list of a thousand. */
const endless = ["@ == 0", "1", "2", "3"].reduce((condition) => `exists($.list[*] ? (${condition}))`);
const list = Array.from({ length: 1000 }, (_, index) => index + 1);
const conditional = (a: Record<string, unknown>) => ({
  ...graph([["a", "b"]], { a: { ...oneAttempt, on_failure: "continue", ...a } }),
  edges: [{ source: "a", target: "b", when: endless }],
});

/** Claims in the run's project as a statement that has two seconds. */
const claimInTime = async (execution_id: string) =>
  await db.as("worker", async (tx) => {
    await tx`set local statement_timeout = '2s'`;
    return await callDoor(tx, "claim_tasks", { worker_id: "w", agent_types: ["architect"], limit: 9, execution_id });
  });

Deno.test("a condition that would take for ever ends with the time of what a scheduler calls", async () => {
  const run = await startRun(db, conditional({}), { list });
  await run.claim();
  await expireLeases(db, run.id);
  const [row] = await db.sql`select private.sweep_command() as command`;
  assertStringIncludes(row?.command, "'8s'");
  // A session of its own, as a scheduler has it, with a second instead of eight.
  const session = db.connect();
  await session.unsafe(row?.command.replace("'8s'", "'1s'")).simple();
  await session.end();
  const { status, error_message } = await executionRow(db, run.id);
  assertEquals([status, error_message], ["failed", "What follows in this workflow took longer than a statement may."]);
});

Deno.test("a condition that would take for ever behind a dead worker ends its execution instead of every claim", async () => {
  const run = await startRun(db, conditional({}), { list });
  await run.claim();
  await expireLeases(db, run.id);
  assertEquals((await claimInTime(run.id)).tasks, []);
  const { status, error_message, state } = await executionRow(db, run.id);
  assertEquals([status, error_message], ["failed", "What follows in this workflow took longer than a statement may."]);
  assertEquals(state, { list });
  assertEquals(await run.statuses(), { a: "failed", b: "cancelled" });
});

Deno.test("a fault that is also behind what the execution runs inside of breaks both off, and stops no claim", async () => {
  const outer = await startRun(db, graph([["n", "__end__"]]));
  const child = await createWorkflow(db, outer.project, conditional({}));
  await db.rpc("worker", "publish_workflow", { workflow_id: child });
  const definition = {
    ...graph([["inner", "after"]], { inner: { type: "workflow", workflow_id: child, on_failure: "continue" } }),
    edges: [{ source: "inner", target: "after", when: endless }],
  };
  const run = await startRun(db, definition, { list }, outer.project);
  const { tasks } = await db.rpc("worker", "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    limit: 9,
    project_id: outer.project.id,
  });
  const inner = tasks.find((task: { node_id: string }) => task.node_id === "a");
  await expireLeases(db, inner.execution_id);
  assertEquals((await claimInTime(run.id)).tasks, []);
  const ended = [await executionRow(db, run.id), await executionRow(db, inner.execution_id)];
  assertEquals(ended.map(({ status }) => status), ["failed", "failed"]);
  assertEquals(await run.statuses(), { inner: "cancelled", after: "cancelled" });
  const open = await db.sql`
    select from public.agent_tasks
    where workflow_execution_id in (${run.id}, ${inner.execution_id}) and status not in ('failed', 'cancelled')`;
  assertEquals(open.length, 0);
});
