// publish_workflow: both dialects in which LangGraph exports a graph are read, and what an export loses is warned about.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, report, startExecution, statuses } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);

const javascriptExport = JSON.parse(
  await Deno.readTextFile(new URL("../../scenarios/demo/langgraph-export.json", import.meta.url)),
);

// Python's dialect: no `conditional` unless true, no empty metadata, UUID ids written as integers, a bare end.
const pythonExport = {
  nodes: [
    { id: "__start__", type: "runnable", data: { id: ["langgraph", "RunnableCallable"], name: "__start__" } },
    { id: 0, type: "runnable", data: { id: ["x", "plan"], name: "plan" }, metadata: { agent_type: "architect" } },
    { id: 1, type: "runnable", data: { id: ["x", "build"], name: "build" }, metadata: { agent_type: "backend" } },
    { id: "frontend", type: "unknown", data: {} },
    { id: 2, type: "runnable", data: {}, metadata: { agent_type: "tester", defer: true, __interrupt: "before" } },
    { id: "__end__" },
  ],
  edges: [
    { source: "__start__", target: 0 },
    { source: 0, target: 1 },
    { source: 0, target: "frontend" },
    { source: 1, target: 2 },
    { source: "frontend", target: 2 },
    { source: 2, target: "__end__" },
  ],
};

async function compile(definition: unknown) {
  const [row] = await db.sql`select private.compile_definition(${project.id}, ${
    db.sql.json(definition as never)
  }) as compiled`;
  return row?.compiled;
}

interface Row {
  node_id: string;
  status: string;
  agent_type: string;
}

Deno.test("the JavaScript dialect is accepted: a task for each node but start and end", async () => {
  const { tasks } = await startExecution(db, project, javascriptExport);
  const expected = javascriptExport.nodes.filter((node: { id: string }) => !node.id.startsWith("__"));
  assertEquals(
    tasks.map((task: Row) => [task.node_id, task.agent_type]).toSorted(),
    expected.map((node: { id: string; metadata: { agent_type: string } }) => [node.id, node.metadata.agent_type])
      .toSorted(),
  );
});

Deno.test("the JavaScript dialect with agent types in its metadata needs no warning", async () => {
  assertEquals((await compile(javascriptExport)).warnings, []);
});

Deno.test("the Python dialect is accepted: integer ids, a bare end, no metadata where it is empty", async () => {
  const { tasks } = await startExecution(db, project, pythonExport);
  assertEquals(tasks.map((task: Row) => [task.node_id, task.agent_type, task.status]), [
    ["0", "architect", "pending"],
    ["1", "backend", "blocked"],
    ["frontend", "frontend", "blocked"],
    ["2", "tester", "blocked"],
  ]);
});

Deno.test("the Python dialect as a LangGraph server answers it is accepted: both ends as schemas with a text", async () => {
  const runnable = (name: string) => ({
    id: name,
    type: "runnable",
    data: { id: ["langgraph", "utils", "RunnableCallable"], name },
    metadata: { agent_type: "backend" },
  });
  const { tasks } = await startExecution(db, project, {
    nodes: [
      { id: "__start__", type: "schema", data: "__start__" },
      runnable("agent"),
      runnable("tool"),
      { id: "__end__", type: "schema", data: "__end__" },
    ],
    edges: [
      { source: "__start__", target: "agent" },
      { source: "tool", target: "agent" },
      { source: "agent", target: "tool", conditional: true },
      { source: "agent", target: "__end__", conditional: true },
    ],
  });
  assertEquals(tasks.map((task: Row) => [task.node_id, task.status]), [["agent", "pending"], ["tool", "blocked"]]);
});

Deno.test("an agent type taken from a node's id is warned about", async () => {
  const warnings = (await compile(pythonExport)).warnings.filter((warning: { code: string }) =>
    warning.code === "agent_type_guessed"
  );
  assertEquals(warnings.map((warning: { node: string }) => warning.node), ["frontend"]);
});

Deno.test("an agent type taken from the defaults is warned about", async () => {
  const compiled = await compile({ nodes: [{ id: "x" }], edges: [], defaults: { agent_type: "tester" } });
  assertEquals([compiled.nodes[0].agent_type, compiled.warnings.map((one: { code: string }) => one.code)], [
    "tester",
    ["agent_type_guessed"],
  ]);
});

Deno.test("a static interrupt is warned about", async () => {
  const codes = (await compile(pythonExport)).warnings.map((
    warning: { code: string; node: string },
  ) => [warning.code, warning.node]);
  assert(codes.some(([code, node]: string[]) => code === "interrupt_ignored" && node === "2"), JSON.stringify(codes));
});

Deno.test("a conditional edge without a label is warned about, one with a label is not", async () => {
  const compiled = await compile({
    nodes: pythonExport.nodes,
    edges: [{ source: 0, target: 1, conditional: true }, { source: 0, target: 2, conditional: true, data: "yes" }],
  });
  const warnings = compiled.warnings.filter((warning: { code: string }) => warning.code === "unlabelled_conditional");
  assertEquals(warnings.map((warning: { edge: string }) => warning.edge), ["0 → 1"]);
});

Deno.test("a branch that Python names by True, False or a number is named by its text", async () => {
  const branches = [[1, true], [2, false], ["frontend", 3]];
  const { execution } = await startExecution(db, project, {
    nodes: pythonExport.nodes,
    edges: branches.map(([target, data]) => ({ source: 0, target, conditional: true, data })),
  });
  const task = await claimNode(db, execution.id, "0");
  const refusal = await db.refusal("worker", "complete_task", report(task, { label: "True" }));
  assertEquals(refusal.details, { fields: [{ path: "label", message: "must be one of: 3, false, true" }] });
  await db.rpc("worker", "complete_task", report(task, { label: "false" }));
  assertEquals(await statuses(db, execution.id), {
    "0": "completed",
    "1": "skipped",
    "frontend": "skipped",
    "2": "pending",
  });
});

Deno.test("warnings are kept with the version", async () => {
  const { execution } = await startExecution(db, project, pythonExport);
  const [version] = await db.sql`
    select warnings from public.workflow_versions where workflow_id = ${execution.workflow_id}`;
  assertEquals(version?.warnings.map((warning: { code: string }) => warning.code).toSorted(), [
    "agent_type_guessed",
    "interrupt_ignored",
  ]);
});

Deno.test("`conditional: false` is a plain edge, as the JavaScript dialect writes it", async () => {
  const edges = pythonExport.edges.map((edge) => ({ ...edge, conditional: false }));
  assertEquals((await compile({ ...pythonExport, edges })).faults, []);
});
