// claim_tasks: which tasks a worker gets, in which order and how many.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimAll, createProject, graph, type Project, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();

/** A running execution of nodes without edges, each with its options. */
async function start(nodes: Record<string, Record<string, unknown>>, project?: Project) {
  project ??= await createProject(db);
  const definition = graph(Object.keys(nodes).map((id) => [id, "__end__"]), nodes);
  const { execution } = await startExecution(db, project, definition);
  return { project, execution_id: execution.id as string };
}

/** The node ids that a claim gives out, in its order. */
async function claim(args: Record<string, unknown>): Promise<string[]> {
  const { tasks } = await db.rpc("worker", "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect", "tester"],
    limit: 100,
    ...args,
  });
  return tasks.map((task: { node_id: string }) => task.node_id);
}

Deno.test("the higher priority comes first", async () => {
  const { execution_id } = await start({ low: { priority: -1 }, high: { priority: 5 }, middle: {} });
  assertEquals(await claim({ execution_id }), ["high", "middle", "low"]);
});

Deno.test("with a limit, the claim takes the highest priority and leaves the rest", async () => {
  const { execution_id } = await start({ low: { priority: -1 }, high: { priority: 5 }, middle: {} });
  assertEquals([await claim({ execution_id, limit: 1 }), await claim({ execution_id })], [["high"], ["middle", "low"]]);
});

/** Gives every task of an execution an input of a MiB. */
const enlarge = (execution_id: string) =>
  db.sql`
    update public.agent_tasks set input_data = jsonb_build_object('text', repeat('x', 1000000))
    where workflow_execution_id = ${execution_id}`;

const SIX = { a: {}, b: {}, c: {}, d: {}, e: {}, f: {} };

Deno.test("a claim ends after 4 MiB of inputs, and the next one goes on", async () => {
  const { execution_id } = await start(SIX);
  await enlarge(execution_id);
  assertEquals([(await claim({ execution_id })).length, (await claim({ execution_id })).length], [5, 1]);
});

Deno.test("a claim ends after 4 MiB of inputs in a project with a limit as well", async () => {
  const { project, execution_id } = await start(SIX);
  await db.sql`update public.projects set settings = '{"concurrency_limit": 100}' where id = ${project.id}`;
  await enlarge(execution_id);
  assertEquals((await claim({ project_id: project.id })).length, 5);
});

Deno.test("a claim ends after 4 MiB of inputs of several projects as well", async () => {
  for (const nodes of [SIX, SIX]) {
    const { project, execution_id } = await start(nodes);
    await enlarge(execution_id);
    await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, 'heavy')`;
    await db.sql`update public.agent_tasks set agent_type = 'heavy' where workflow_execution_id = ${execution_id}`;
  }
  assertEquals((await claim({ agent_types: ["heavy"] })).length, 5);
});

Deno.test("among equals the one that has been available longest comes first", async () => {
  const { project, execution_id } = await start({ young: {} });
  const older = await start({ old: {} }, project);
  await db.sql`
    update public.agent_tasks set available_at = now() - interval '1 hour', created_at = now() - interval '1 hour'
    where workflow_execution_id = ${older.execution_id}`;
  assertEquals(await claim({ project_id: project.id, limit: 1 }), ["old"]);
  assertEquals(await claim({ execution_id }), ["young"]);
});

Deno.test("priority counts more than age", async () => {
  const { execution_id } = await start({ old: {}, high: { priority: 1 } });
  await db.sql`
    update public.agent_tasks set available_at = now() - interval '1 hour'
    where workflow_execution_id = ${execution_id} and node_id = 'old'`;
  assertEquals(await claim({ execution_id, limit: 1 }), ["high"]);
});

Deno.test("a task that is not available yet is not given out", async () => {
  const { execution_id } = await start({ later: {}, now: {} });
  await db.sql`
    update public.agent_tasks set available_at = now() + interval '1 hour'
    where workflow_execution_id = ${execution_id} and node_id = 'later'`;
  assertEquals(await claim({ execution_id }), ["now"]);
});

Deno.test("a blocked task is not given out", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  assertEquals(Object.keys(await claimAll(db, execution.id)), ["a"]);
});

Deno.test("a worker gets tasks of its agent types only", async () => {
  const { execution_id } = await start({
    a: { agent_type: "architect" },
    t: { agent_type: "tester" },
    b: { agent_type: "backend" },
  });
  assertEquals(await claim({ execution_id, agent_types: ["tester"] }), ["t"]);
  assertEquals((await claim({ execution_id, agent_types: ["architect", "backend", "nobody"] })).toSorted(), ["a", "b"]);
});

Deno.test("an execution as scope gives out no task of another", async () => {
  const { project, execution_id } = await start({ mine: {} });
  await start({ theirs: {} }, project);
  assertEquals(await claim({ execution_id }), ["mine"]);
});

Deno.test("a project as scope gives out no task of another", async () => {
  const { project } = await start({ mine: {} });
  await start({ theirs: {} });
  assertEquals(await claim({ project_id: project.id }), ["mine"]);
});

Deno.test("an execution that is not of the project in the scope is execution_not_found", async () => {
  const { execution_id } = await start({ mine: {} });
  const { id: project_id } = await createProject(db);
  const request = { worker_id: "w", agent_types: ["architect"], execution_id, project_id };
  assertEquals((await db.refusal("worker", "claim_tasks", request)).code, "execution_not_found");
});

Deno.test("where there is nothing to do the answer is an empty list", async () => {
  const { execution_id } = await start({ a: {} });
  await claim({ execution_id });
  assertEquals(await claim({ execution_id }), []);
});

Deno.test("an editor without a scope gets tasks of the projects they edit, and of no other", async () => {
  const { project } = await start({ mine: {} });
  await start({ theirs: {} });
  const { tasks } = await db.rpc(project.editor.actor, "claim_tasks", {
    worker_id: "w",
    agent_types: ["architect"],
    limit: 100,
  });
  assertEquals(tasks.map((task: { node_id: string }) => task.node_id), ["mine"]);
});
