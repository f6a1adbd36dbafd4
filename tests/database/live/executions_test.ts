// live: what happens in executions is told on execution:<id>, and on project:<id> where it concerns the whole.
import { assertEquals } from "@std/assert";
import postgres from "postgres";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  claimNode,
  createProject,
  createWorkflow,
  graph,
  report,
  startExecution,
} from "../../support/factories.ts";
import { heardDuring, labels } from "./heard.ts";

const db = await shareDatabase();
const project = await createProject(db);

Deno.test("a start is told once to the execution and once to the project", async () => {
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]]));
  const heard = await heardDuring(db, () => db.rpc(project.owner.actor, "start_workflow", { workflow_id }));
  const [execution] = await db.sql`select * from public.workflow_executions where workflow_id = ${workflow_id}`;
  assertEquals(labels(heard), [`execution:${execution?.id} events`, `project:${project.id} executions`]);
  assertEquals(heard[1]?.payload, {
    executions: [{ id: execution?.id, workflow_id, type: "execution.started", status: "running" }],
  });
  assertEquals(heard.every((message) => message.private), true);
});

Deno.test("a completion tells the task, its attempt and what it unlocked, in one message", async () => {
  const { execution } = await startExecution(db, project, graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]));
  const a = await claimNode(db, execution.id, "a");
  const heard = await heardDuring(db, () => db.rpc("worker", "complete_task", report(a, { output_data: { big: 1 } })));
  assertEquals(labels(heard), [`execution:${execution.id} events`]);
  const tasks = await db.sql`
    select id, node_id from public.agent_tasks where workflow_execution_id = ${execution.id} order by node_index`;
  const idOf = (node: string) => tasks.find((task) => task.node_id === node)?.id;
  assertEquals(
    heard[0]?.payload.events.map(({ id: _, ...event }: { id: number }) => event),
    [
      {
        type: "task.completed",
        task_id: a.id,
        attempt: 1,
        moved: { pending: [idOf("b"), idOf("c")] },
      },
    ],
  );
});

Deno.test("a message carries the cursor of the log: transaction and event ids", async () => {
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const [message] = await heardDuring(db, () => claimNode(db, execution.id, "a"));
  const [event] = await db.sql`
    select transaction_id::text as transaction_id, id from public.execution_events
    where workflow_execution_id = ${execution.id} and type = 'task.running'`;
  assertEquals([message?.payload.transaction_id, message?.payload.events[0].id], [
    event?.transaction_id,
    Number(event?.id),
  ]);
});

Deno.test("a statement that changes several executions tells each of its own tasks only", async () => {
  const runs = [];
  for (let n = 0; n < 3; n++) runs.push(await startExecution(db, project, graph([["a", "z"], ["b", "z"]])));
  const ids = runs.map(({ execution }) => execution.id);
  await db.sql`update public.agent_tasks set agent_type = 'weaver' where workflow_execution_id = any (${ids})`;
  const heard = await heardDuring(
    db,
    () => db.rpc("worker", "claim_tasks", { worker_id: "w", agent_types: ["weaver"], limit: 100 }),
  );
  assertEquals(labels(heard).sort(), ids.map((id) => `execution:${id} events`).sort());
  for (const { topic, payload } of heard) {
    const found = await db.sql`
      select distinct 'execution:' || workflow_execution_id as topic from public.agent_tasks
      where id = any (${payload.events.map((event: { task_id: string }) => event.task_id)})`;
    assertEquals([payload.events.length, found.map((row) => row.topic)], [2, [topic]]);
  }
});

Deno.test("the end of an execution is told to the project with its state", async () => {
  const { execution } = await startExecution(db, project, { nodes: [{ id: "a", agent_type: "architect" }], edges: [] });
  const a = await claimNode(db, execution.id, "a");
  const heard = await heardDuring(db, () => db.rpc("worker", "complete_task", report(a)));
  assertEquals(labels(heard), [
    `execution:${execution.id} events`,
    `project:${project.id} executions`,
  ]);
  assertEquals(heard[0]?.payload.events.map((event: { type: string }) => event.type), [
    "task.completed",
    "execution.completed",
  ]);
  assertEquals(heard[1]?.payload.executions[0].status, "completed");
});

Deno.test("no message carries what a task was given or has made", async () => {
  const { execution } = await startExecution(db, project, graph([["a", "b"]]), { secret: "given" });
  const a = await claimNode(db, execution.id, "a");
  const heard = await heardDuring(db, () =>
    db.rpc(
      "worker",
      "complete_task",
      report(a, {
        output_data: { secret: "made" },
        artifacts: [{ file_path: "x", content: "secret made" }],
      }),
    ));
  assertEquals(labels(heard), [`project:${project.id} artifacts`, `execution:${execution.id} events`]);
  assertEquals(/secret|given|made/.test(JSON.stringify(heard)), false);
});

Deno.test("a heartbeat tells nobody anything, and neither does a claim that finds nothing", async () => {
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const a = await claimNode(db, execution.id, "a");
  const heard = await heardDuring(db, async () => {
    await db.rpc("worker", "heartbeat_task", { task_id: a.id, lease_token: a.lease_token });
    await claimAll(db, execution.id);
  });
  assertEquals(heard, []);
});

Deno.test("a refused operation tells nobody anything", async () => {
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const a = await claimNode(db, execution.id, "a");
  const heard = await heardDuring(
    db,
    () => db.refusal("worker", "complete_task", report(a, { artifacts: [{ file_path: "../x", content: "" }] })),
  );
  assertEquals(heard, []);
});

Deno.test("a message that would be too large says so and leaves its list out", async () => {
  const ids = Array.from({ length: 5000 }, (_, n) => `n${n}`);
  const definition = { nodes: ids.map((id) => ({ id, agent_type: "architect" })), edges: [] };
  const workflow_id = await createWorkflow(db, project, definition);
  const [message] = await heardDuring(db, () => db.rpc(project.owner.actor, "start_workflow", { workflow_id }));
  assertEquals(Object.keys(message?.payload).sort(), ["transaction_id", "truncated"]);
});

Deno.test("a deleted execution is told to its project", async () => {
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const heard = await heardDuring(
    db,
    () => db.sql`delete from public.workflow_executions where id = ${execution.id}`,
  );
  assertEquals(labels(heard), [`project:${project.id} executions`]);
  assertEquals(heard[0]?.payload.executions[0].type, "execution.deleted");
});

Deno.test("the start of several executions in one statement is told to their project as one list", async () => {
  const runs = [];
  for (let n = 0; n < 2; n++) runs.push(await startExecution(db, project, graph([["a", "b"]])));
  const ids = runs.map(({ execution }) => execution.id);
  const heard = await heardDuring(
    db,
    () =>
      db.sql`
        insert into public.execution_events (workflow_execution_id, project_id, type)
        select unnest(${ids}::uuid[]), ${project.id}, 'execution.resumed'`,
  );
  assertEquals(
    labels(heard).sort(),
    [...ids.map((id) => `execution:${id} events`), `project:${project.id} executions`].sort(),
  );
  const told = heard.find(({ event }) => event === "executions")?.payload.executions;
  assertEquals(told.map(({ id }: { id: string }) => id), ids);
});

Deno.test("a statement that writes no event has no message to lose", async () => {
  const warnings: unknown[] = [];
  const sql = postgres(db.url, { max: 1, onnotice: ({ message }) => void warnings.push(message) });
  await sql`
    insert into public.execution_events (workflow_execution_id, project_id, type)
    select e.workflow_execution_id, e.project_id, e.type from public.execution_events as e where false`;
  await sql.end();
  assertEquals(warnings, []);
});
