// JSON that nests deeper than 5,000 is no task's input or output: claims answer inputs inside of other JSON, and one that
// nests as deep as PostgreSQL reads would keep every worker from every project's tasks.
import { assertEquals } from "@std/assert";
import { become, refused, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph } from "../../support/factories.ts";
import { type Run, runOf, startRun } from "../../support/run.ts";

const db = await shareDatabase();
const project = await createProject(db);

/** JSON of so many levels, as text: JavaScript itself does not write what nests so deep. */
const nested = (levels: number) => `{"deep": ${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;

async function start(levels: number): Promise<Run> {
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]]));
  const execution_id = await db.as(project.editor.actor, async (tx) => {
    const [row] = await tx`
      select public.start_workflow(workflow_id := ${workflow_id}, input := ${nested(levels)}::text::jsonb) as answer`;
    return row?.answer.execution.id;
  });
  return runOf(db, project, execution_id);
}

async function complete(run: Run, name: string, levels: number): Promise<void> {
  const { id, lease_token } = await run.lease(name);
  await db.sql.begin(async (tx) => {
    await become(tx, "worker");
    await tx`
      select public.complete_task(
        task_id := ${id}, lease_token := ${lease_token}, status := 'completed', output_data := ${
      nested(levels)
    }::text::jsonb
      )`;
  });
}

Deno.test("an execution whose input nests 5,000 deep is claimed, read, forked and cancelled", async () => {
  const run = await start(5000);
  assertEquals(await run.claim(), ["a"]);
  await db.sql`select private.execution_state(${run.id})`;
  await db.rpc("worker", "fork_execution", { execution_id: run.id, from_node: "a" });
  const { execution } = await db.rpc("worker", "cancel_execution", { execution_id: run.id });
  assertEquals(execution.status, "cancelled");
});

Deno.test("an input that nests deeper is refused at the start", async () => {
  assertEquals((await refused(start(5001))).sqlstate, "54001");
});

Deno.test("an output that nests deeper is refused, and the task goes on running", async () => {
  const run = await startRun(db, graph([["a", "__end__"]]));
  assertEquals((await refused(complete(run, "a", 5001))).sqlstate, "54001");
  assertEquals(await run.statuses(), { a: "running" });
});

Deno.test("an output that would nest deeper as the input behind it is refused", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  assertEquals((await refused(complete(run, "a", 5000))).sqlstate, "54001");
  await complete(run, "a", 4999);
  assertEquals(await run.statuses(), { a: "completed", b: "pending" });
});

Deno.test("of a batch only the report that nests deeper is refused", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]]));
  const tasks = [await run.lease("a"), await run.lease("b")];
  const [deep, flat] = tasks.map(({ id, lease_token }) => `"task_id": "${id}", "lease_token": "${lease_token}"`);
  const results = `[{${deep}, "status": "completed", "output_data": ${
    nested(5001)
  }}, {${flat}, "status": "completed"}]`;
  const [row] = await db.sql`select private.complete_tasks(${results}::text::jsonb) as answer`;
  assertEquals(row?.answer.results.map((result: { error?: { code: string } }) => result.error?.code), [
    "validation_failed",
    undefined,
  ]);
  assertEquals(await run.statuses(), { a: "running", b: "completed", c: "blocked" });
});
