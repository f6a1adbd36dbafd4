// The plan of a foreign key's check is made once in a session, by the operation that needs it first: whichever that is, it goes
// by the index, although the tables were next to empty then.
import { assertEquals } from "@std/assert";
import type postgres from "postgres";
import { shareDatabase } from "../../support/database.ts";
import { runTask, save } from "../../support/artifacts.ts";
import { createProject, createWorkflow, graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";
import { connectExplained, nodesOf } from "./explain.ts";

const db = await shareDatabase();
const project = await createProject(db);
await db.sql`analyze`;

const begun = (definition: unknown, input = {}) => startRun(db, definition, input, project);
type Begin = () => Promise<(sql: postgres.Sql) => Promise<unknown>>;

const operations: Record<string, Begin> = {
  async start_workflow() {
    const id = await createWorkflow(db, project, graph([["a", "b"]]));
    return (sql) => sql`select public.start_workflow(workflow_id := ${id}::uuid)`;
  },
  async decide_task() {
    const run = await begun(
      graph([["ok", "m"], ["m", "z"]], { ok: { type: "approval" }, m: { type: "map", over: "$.list" } }),
      { list: [1, 2] },
    );
    const { id } = await run.row("ok");
    return (sql) => sql`select public.decide_task(task_id := ${id}::uuid, decision := 'approved')`;
  },
  async fork_execution() {
    const run = await begun(graph([["a", "b"]]));
    await run.complete("a");
    return (sql) => sql`select public.fork_execution(execution_id := ${run.id}::uuid, from_node := 'b')`;
  },
  async retry_execution() {
    const run = await begun(graph([["a", "b"]], { a: oneAttempt }));
    await run.fail("a");
    return (sql) => sql`select public.retry_execution(execution_id := ${run.id}::uuid)`;
  },
  async cancel_execution() {
    const run = await begun(graph([["a", "b"]]));
    return (sql) => sql`select public.cancel_execution(execution_id := ${run.id}::uuid)`;
  },
  async heartbeat_task() {
    const run = await begun(graph([["a", "b"]]));
    const { id, lease_token } = await run.lease("a");
    return (sql) => sql`select public.heartbeat_task(task_id := ${id}::uuid, lease_token := ${lease_token}::uuid)`;
  },
  async release_task() {
    const run = await begun(graph([["a", "b"]]));
    const { id, lease_token } = await run.lease("a");
    return (sql) => sql`select public.release_task(task_id := ${id}::uuid, lease_token := ${lease_token}::uuid)`;
  },
  async restore_artifact() {
    const { id } = await save(db, project, "restored.txt", "old");
    await save(db, project, "restored.txt", "new");
    return (sql) => sql`select public.restore_artifact(artifact_id := ${id}::uuid)`;
  },
  async revert_execution() {
    await save(db, project, "reverted.txt", "old");
    const { execution } = await runTask(db, project, [{ file_path: "reverted.txt", content: "new" }]);
    return (sql) => sql`select public.revert_execution(execution_id := ${execution}::uuid)`;
  },
  delete_artifact: async () => {
    await save(db, project, "old.txt", "old");
    return (sql) => sql`select public.delete_artifact(project_id := ${project.id}::uuid, file_path := 'old.txt')`;
  },
  save_artifact: () =>
    Promise.resolve((sql) =>
      sql`select public.save_artifact(project_id := ${project.id}::uuid, file_path := 'a.txt', content := 'a')`
    ),
};

for (const [name, begin] of Object.entries(operations)) {
  Deno.test(`${name} reads no whole table, although it plans its statements on the first day`, async () => {
    await using explained = await connectExplained(db);
    await explained.sql`
      select set_config('request.jwt.claims', ${
      JSON.stringify({ sub: project.owner.id, role: "authenticated" })
    }, false),
        set_config('role', 'authenticated', false)`;
    const call = await begin();
    const plans = await explained.plansInside(() => call(explained.sql));
    const whole = plans.flatMap((plan) =>
      nodesOf(plan.Plan)
        .filter((node) => node["Node Type"] === "Seq Scan" && node["Actual Loops"] > 0)
        .map((node) => `${node["Relation Name"]}: ${plan["Query Text"]}`)
    );
    assertEquals(whole, []);
  });
}
