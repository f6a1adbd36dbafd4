// start_workflow: what a start makes.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  createAgent,
  createProject,
  createWorkflow,
  executionRow,
  graph,
  startExecution,
} from "../../support/factories.ts";

const db = await shareDatabase();

const diamond = graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]);

Deno.test("a start makes one task per node, and only the entries are pending", async () => {
  const project = await createProject(db);
  const { tasks } = await startExecution(db, project, diamond);
  assertEquals(tasks.map((task: { node_id: string; status: string }) => [task.node_id, task.status]), [
    ["a", "pending"],
    ["b", "blocked"],
    ["c", "blocked"],
    ["d", "blocked"],
  ]);
});

Deno.test("the same key and input give the same execution again, and another input is refused", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]]));
  const request = { workflow_id, input: { goal: 1 }, idempotency_key: "key" };
  const first = await db.rpc(project.owner.actor, "start_workflow", request);
  const again = await db.rpc(project.owner.actor, "start_workflow", request);
  assertEquals([again.execution.id, again.replayed], [first.execution.id, true]);
  const refusal = await db.refusal(project.owner.actor, "start_workflow", { ...request, input: { goal: 2 } });
  assertEquals(refusal.code, "idempotency_conflict");
});

Deno.test("the answer has the execution, its tasks and whether it is a replay, without any lease", async () => {
  const project = await createProject(db);
  const answer = await startExecution(db, project, diamond);
  assertEquals(Object.keys(answer).toSorted(), ["execution", "replayed", "tasks"]);
  assertEquals([answer.execution.status, answer.execution.project_id, answer.replayed], ["running", project.id, false]);
  assertEquals(JSON.stringify(answer).includes("lease"), false);
});

Deno.test("an entry without an input mapping is given the execution's input", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, diamond, { goal: "ship" });
  const rows = await db.sql`
    select node_id, input_data from public.agent_tasks where workflow_execution_id = ${execution.id} order by node_index`;
  assertEquals(rows.map((row) => row.input_data), [{ goal: "ship" }, null, null, null]);
});

Deno.test("an entry with an input mapping is given what it selects from the input", async () => {
  const project = await createProject(db);
  const definition = graph([["a", "b"]], { a: { input: { what: "$.goal", how: "well" } } });
  const { tasks } = await startExecution(db, project, definition, { goal: "ship" });
  const [row] = await db.sql`select input_data from public.agent_tasks where id = ${tasks[0].id}`;
  assertEquals(row?.input_data, { what: "ship", how: "well" });
});

Deno.test("a start is written down as one event that names the entries", async () => {
  const project = await createProject(db);
  const { execution, tasks } = await startExecution(db, project, graph([["a", "c"], ["b", "c"]]));
  const events = await db.sql`
    select type, project_id, data from public.execution_events
    where workflow_execution_id = ${execution.id} order by transaction_id, id`;
  assertEquals(events.map((event) => [event.type, event.data]), [
    ["execution.started", { version: 1, pending: tasks.slice(0, 2).map((task: { id: string }) => task.id) }],
  ]);
  assertEquals(events.every((event) => event.project_id === project.id), true);
});

Deno.test("the state starts as the input", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, diamond, { goal: 1 });
  assertEquals((await executionRow(db, execution.id)).state, { goal: 1 });
});

Deno.test("a node's agent is given to its task", async () => {
  const project = await createProject(db);
  const agent_id = await createAgent(db, project.id);
  const { execution } = await startExecution(db, project, graph([["a", "b"]], { a: { agent_id } }));
  const rows = await db.sql`
    select agent_id from public.agent_tasks where workflow_execution_id = ${execution.id} order by node_index`;
  assertEquals(rows.map((row) => row.agent_id), [agent_id, null]);
});

Deno.test("a workflow still starts after an agent of its published version was removed", async () => {
  const project = await createProject(db);
  const agent_id = await createAgent(db, project.id);
  const { execution } = await startExecution(db, project, graph([["a", "b"]], { a: { agent_id } }));
  await db.as(project.owner.actor, (tx) => tx`delete from public.agents where id = ${agent_id}`);
  const again = await db.rpc(project.editor.actor, "start_workflow", { workflow_id: execution.workflow_id });
  assertEquals(again.tasks[0].status, "pending");
});

Deno.test("deleting a project takes its executions, tasks and events along", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, diamond);
  await db.as(project.owner.actor, (tx) => tx`delete from public.projects where id = ${project.id}`);
  const left = await db.sql`
    select id::text from public.workflow_executions where id = ${execution.id}
    union all select id::text from public.agent_tasks where workflow_execution_id = ${execution.id}
    union all select id::text from public.execution_events where workflow_execution_id = ${execution.id}
    union all select 'progress' from private.execution_progress where workflow_execution_id = ${execution.id}`;
  assertEquals(left.length, 0);
});

Deno.test("deleting a project takes along what runs inside, elements, decisions and counters", async () => {
  const project = await createProject(db);
  const inner = await createWorkflow(db, project, graph([["x", "y"]]));
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id: inner });
  const definition = graph([["m", "end"], ["inside", "end"], ["review", "end"], ["l", "end"]], {
    m: { type: "map", over: "$.files" },
    inside: { type: "workflow", workflow_id: inner },
    review: { type: "approval", approvals: 2 },
  });
  const { tasks } = await startExecution(db, project, {
    ...definition,
    edges: [...definition.edges, { source: "l", target: "l", when: "$.go == true", loop: { max_iterations: 1 } }],
    concurrency_limit: 5,
  }, { files: [1, 2] });
  const review = tasks.find((task: { node_id: string }) => task.node_id === "review");
  await db.rpc(project.owner.actor, "decide_task", { task_id: review.id, decision: "approved" });
  await db.as(project.owner.actor, (tx) => tx`delete from public.projects where id = ${project.id}`);
  const tables = await db.sql`
    select format('%I.%I', table_schema, table_name) as name, column_name as "column" from information_schema.columns
    where table_schema in ('public', 'private') and column_name in ('project_id', 'workflow_execution_id')
      and table_name in ('workflow_executions', 'agent_tasks', 'execution_events', 'task_decisions', 'limited_executions')
      and column_name = 'project_id'`;
  assertEquals(tables.length, 5);
  for (const { name, column } of tables) {
    const [row] = await db.sql.unsafe(`select count(*)::int as n from ${name} where ${column} = $1`, [project.id]);
    assertEquals(row?.n, 0, name);
  }
  for (const name of ["countdowns", "execution_loops", "edge_outcomes", "execution_progress"]) {
    const [row] = await db.sql.unsafe(`
      select count(*)::int as n from private.${name} as c
      where not exists (select from public.workflow_executions as x where x.id = c.workflow_execution_id)`);
    assertEquals(row?.n, 0, name);
  }
});
