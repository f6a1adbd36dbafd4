// complete_task: the state of a finished execution is the fold of its outputs, whatever the order of the reports.
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
} from "../../support/factories.ts";

const db = await shareDatabase();

/** Runs parallel nodes a, b, … to the end in the given order, each with its output, and gives back the final state. */
async function fold(
  state: Record<string, string>,
  outputs: Record<string, unknown>,
  { input = {}, order = Object.keys(outputs) }: { input?: Record<string, unknown>; order?: string[] } = {},
): Promise<unknown> {
  const project = await createProject(db);
  const definition = { ...graph(Object.keys(outputs).map((id) => [id, "__end__"])), state };
  const { execution } = await startExecution(db, project, definition, input);
  const tasks = await claimAll(db, execution.id);
  for (const id of order) {
    await db.rpc("worker", "complete_task", report(tasks[id], { output_data: outputs[id] }));
  }
  return (await executionRow(db, execution.id)).state;
}

Deno.test("a channel without a reducer is replaced by the later node of the graph", async () => {
  assertEquals(await fold({}, { a: { x: "a" }, b: { x: "b" } }), { x: "b" });
});

Deno.test("replace lets a node overwrite the input", async () => {
  assertEquals(await fold({ x: "replace" }, { a: { x: 2 } }, { input: { x: 1, y: 1 } }), { x: 2, y: 1 });
});

Deno.test("append joins lists and single values in graph order, the input first", async () => {
  assertEquals(
    await fold({ log: "append" }, { a: { log: ["a1", "a2"] }, b: { log: "b" } }, { input: { log: ["i"] } }),
    {
      log: ["i", "a1", "a2", "b"],
    },
  );
});

Deno.test("append of nothing but empty lists is an empty list", async () => {
  assertEquals(await fold({ log: "append" }, { a: { log: [] }, b: { log: [] } }), { log: [] });
});

Deno.test("sum adds numbers exactly", async () => {
  assertEquals(await fold({ n: "sum" }, { a: { n: 0.1 }, b: { n: 0.2 } }, { input: { n: 1 } }), { n: 1.3 });
});

Deno.test("a sum that no number can hold is null", async () => {
  // Outputs hold no such numbers any more; those from before may.
  const [row] = await db.sql`select private.sum_of('{9e131071, 9e131071}') as sum`;
  assertEquals(row?.sum, null);
});

Deno.test("merge joins objects, and the later node of the graph wins a key", async () => {
  const outputs = { a: { files: { x: 1, y: 1 } }, b: { files: { y: 2 } } };
  assertEquals(await fold({ files: "merge" }, outputs), { files: { x: 1, y: 2 } });
});

Deno.test("the same outputs give the same state whatever the order in which they were reported", async () => {
  const state = { log: "append", files: "merge", n: "sum", last: "replace" };
  const outputs = Object.fromEntries(
    ["a", "b", "c"].map((id, index) => [id, { log: id, files: { [id]: 1, all: id }, n: index, last: id }]),
  );
  const expected = await fold(state, outputs);
  for (const order of [["c", "b", "a"], ["b", "c", "a"], ["c", "a", "b"]]) {
    assertEquals(await fold(state, outputs, { order }), expected);
  }
});

Deno.test("an output that is no object becomes a channel named like its node", async () => {
  assertEquals(await fold({}, { a: [1, 2], b: "text" }), { a: [1, 2], b: "text" });
});

Deno.test("a task without an output leaves the state alone", async () => {
  assertEquals(
    await fold({}, { a: null }, { input: { kept: 1 } }).then((state) => (state as { kept: number }).kept),
    1,
  );
});

Deno.test("the state of a running execution is its input", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]), { goal: 1 });
  const task = await claimNode(db, execution.id, "a");
  await db.rpc("worker", "complete_task", report(task, { output_data: { goal: 2 } }));
  assertEquals((await executionRow(db, execution.id)).state, { goal: 1 });
});

Deno.test("a node's input mapping reads the state by jsonpath and keeps constants", async () => {
  const project = await createProject(db);
  const input = { file: "$.files[1].name", missing: "$.nothing", goal: "$.goal", tone: "calm", price: 5 };
  const { execution } = await startExecution(db, project, graph([["a", "b"]], { b: { input } }), { goal: "ship" });
  const task = await claimNode(db, execution.id, "a");
  await db.rpc("worker", "complete_task", report(task, { output_data: { files: [{ name: "x" }, { name: "y" }] } }));
  assertEquals((await claimNode(db, execution.id, "b")).input_data, {
    file: "y",
    missing: null,
    goal: "ship",
    tone: "calm",
    price: 5,
  });
});

// Errors that jsonpath does not suppress, silent or not.
for (
  const path of ["$.due.timestamp_tz()", "$.n.decimal(5000)", '$.due.datetime() < "2020-01-01T00:00:00+00".datetime()']
) {
  Deno.test(`a jsonpath that fails on the data does not stop the execution: ${path}`, async () => {
    const project = await createProject(db);
    const definition = graph([["a", "b"]], { b: { input: { x: path } } });
    const { execution } = await startExecution(db, project, definition, { due: "2020-01-01", n: 1 });
    const answer = await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
    assertEquals(answer.unlocked.map((task: { node_id: string }) => task.node_id), ["b"]);
  });
}
