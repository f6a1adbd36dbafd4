// Long lists of texts, of which PostgreSQL's jsonb_agg takes the square of the time: 16 seconds for a mebibyte.
import { assertEquals } from "@std/assert";
import { type Actor, type Answer, become, callDoor, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, expireLeases, graph, report } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();
const texts = Array.from({ length: 25_000 }, () => crypto.randomUUID());
const one = graph([["a", "__end__"]]);

/** Calls a door as the Data API would, which gives a worker's or a person's statement 8 seconds. */
const inTime = (actor: Actor, door: string, args: Record<string, unknown>): Promise<Answer> =>
  db.as("superuser", async (tx) => {
    await tx`set local statement_timeout = '8s'`;
    await become(tx, actor);
    return await callDoor(tx, door, args);
  });

Deno.test("a claim that takes a lease back answers the task with a long list of texts that it had found", async () => {
  const project = await createProject(db);
  const dead = await startRun(db, one, {}, project);
  await dead.claim();
  await expireLeases(db, dead.id);
  const run = await startRun(db, one, { texts }, project);
  const claim = { worker_id: "w", agent_types: ["architect"], limit: 10, project_id: project.id };
  const { tasks } = await inTime("worker", "claim_tasks", claim);
  assertEquals(
    tasks.map((task: Answer) => [task.execution_id, task.input_data.texts?.length]).toSorted(),
    [[run.id, 25_000], [dead.id, undefined]].toSorted(),
  );
});

Deno.test("a batch takes a long list of texts beside an output of null", async () => {
  const run = await startRun(db, graph([["a", "__end__"], ["b", "__end__"]]));
  const [a, b] = [await run.lease("a"), await run.lease("b")];
  const results = [report(a, { output_data: null }), report(b, { output_data: { texts } })];
  await inTime("worker", "complete_tasks", { results });
  assertEquals((await run.state()).texts.length, 25_000);
});

Deno.test("a graph with a long list of texts as a constant is published", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["a", "__end__"]], { a: { input: { texts } } }));
  await inTime(project.owner.actor, "publish_workflow", { workflow_id });
  const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id });
  const [task] = await db.sql`select input_data from public.agent_tasks where workflow_execution_id = ${execution.id}`;
  assertEquals(task?.input_data.texts.length, 25_000);
});
