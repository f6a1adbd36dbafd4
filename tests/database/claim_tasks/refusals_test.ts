// claim_tasks: bad arguments, and callers who may not claim.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, graph, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();

const good = { worker_id: "w", agent_types: ["architect"] };

async function start() {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  return { project, execution_id: execution.id as string };
}

const bad: [string, Record<string, unknown>][] = [
  ["an empty worker_id", { worker_id: "" }],
  ["no worker_id", { worker_id: null }],
  ["a long worker_id", { worker_id: "x".repeat(201) }],
  ["no agent types", { agent_types: [] }],
  ["agent types that are missing", { agent_types: null }],
  ["101 agent types", { agent_types: Array.from({ length: 101 }, () => "architect") }],
  ["a limit of 0", { limit: 0 }],
  ["a limit of 101", { limit: 101 }],
  ["no limit", { limit: null }],
  ["a lease of 0 s", { lease_seconds: 0 }],
  ["a lease of more than a day", { lease_seconds: 86_401 }],
  ["no lease", { lease_seconds: null }],
];
for (const [what, args] of bad) {
  Deno.test(`${what} is validation_failed`, async () => {
    const refusal = await db.refusal("worker", "claim_tasks", { ...good, ...args });
    assertEquals([refusal.code, refusal.sqlstate], ["validation_failed", "PT422"]);
  });
}

for (const scope of ["project_id", "execution_id"] as const) {
  const scoped = async () => {
    const { project, execution_id } = await start();
    return { project, args: { ...good, [scope]: scope === "project_id" ? project.id : execution_id } };
  };
  const notFound = scope === "project_id" ? "project_not_found" : "execution_not_found";

  Deno.test(`a viewer who asks for their ${scope} gets forbidden`, async () => {
    const { project, args } = await scoped();
    assertEquals((await db.refusal(project.viewer.actor, "claim_tasks", args)).code, "forbidden");
  });

  Deno.test(`an admin who is no member and asks for a ${scope} gets forbidden`, async () => {
    const { args } = await scoped();
    assertEquals((await db.refusal((await createAdmin(db)).actor, "claim_tasks", args)).code, "forbidden");
  });

  Deno.test(`a stranger cannot tell a real ${scope} from one that does not exist`, async () => {
    const { project, args } = await scoped();
    const real = await db.refusal(project.stranger.actor, "claim_tasks", args);
    const none = await db.refusal(project.stranger.actor, "claim_tasks", { ...good, [scope]: crypto.randomUUID() });
    assertEquals(real.code, notFound);
    assertEquals(real, none);
  });

  Deno.test(`a worker who asks for a ${scope} that does not exist gets ${notFound}`, async () => {
    const refusal = await db.refusal("worker", "claim_tasks", { ...good, [scope]: crypto.randomUUID() });
    assertEquals(refusal.code, notFound);
  });

  Deno.test(`a former editor who asks for a ${scope} gets ${notFound}`, async () => {
    const { project, args } = await scoped();
    await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
    assertEquals((await db.refusal(project.editor.actor, "claim_tasks", args)).code, notFound);
  });

  Deno.test(`an archived project gives out no task of a ${scope}, not to its editors and not to workers`, async () => {
    const { project, args } = await scoped();
    await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
    for (const actor of [project.editor.actor, "worker" as const]) {
      const tried = await db.rpc(actor, "claim_tasks", args).then(
        (answer) => answer.tasks,
        (error) => error.hint,
      );
      assertEquals(tried === "project_not_active" || JSON.stringify(tried) === "[]", true, JSON.stringify(tried));
    }
  });
}

for (const who of ["viewer", "stranger"] as const) {
  Deno.test(`a ${who} who asks without a scope is given nothing`, async () => {
    const { project } = await start();
    assertEquals(await db.rpc(project[who].actor, "claim_tasks", { ...good, limit: 100 }), { tasks: [] });
  });
}

for (const status of ["archived", "deleted"]) {
  Deno.test(`a worker without a scope is given no task of a project that is ${status}`, async () => {
    const { project, execution_id } = await start();
    await db.sql`update public.projects set status = ${status} where id = ${project.id}`;
    const { tasks } = await db.rpc("worker", "claim_tasks", { ...good, limit: 100 });
    assertEquals(tasks.filter((task: { execution_id: string }) => task.execution_id === execution_id), []);
  });
}

Deno.test("someone without an account may not call it at all", async () => {
  assertEquals((await db.refusal("anon", "claim_tasks", good)).sqlstate, "42501");
});
