// start_workflow: whom it refuses, and what it does not take.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createWorkflow, graph, type Project } from "../../support/factories.ts";

const db = await shareDatabase();

async function workflow() {
  const project = await createProject(db);
  return { project, workflow_id: await createWorkflow(db, project, graph([["a", "b"]])) };
}

const setStatus = (project: Project, status: string) =>
  db.sql`update public.projects set status = ${status} where id = ${project.id}`;

Deno.test("a viewer gets forbidden", async () => {
  const { project, workflow_id } = await workflow();
  const refusal = await db.refusal(project.viewer.actor, "start_workflow", { workflow_id });
  assertEquals([refusal.code, refusal.sqlstate], ["forbidden", "PT403"]);
});

Deno.test("an admin who is no member gets forbidden", async () => {
  const { workflow_id } = await workflow();
  const admin = await createAdmin(db);
  assertEquals((await db.refusal(admin.actor, "start_workflow", { workflow_id })).code, "forbidden");
});

Deno.test("a stranger cannot tell a workflow from one that does not exist", async () => {
  const { project, workflow_id } = await workflow();
  const real = await db.refusal(project.stranger.actor, "start_workflow", { workflow_id });
  const none = await db.refusal(project.stranger.actor, "start_workflow", { workflow_id: crypto.randomUUID() });
  assertEquals([real.code, real.sqlstate], ["workflow_not_found", "PT404"]);
  assertEquals(real, none);
});

Deno.test("a former collaborator gets workflow_not_found", async () => {
  const { project, workflow_id } = await workflow();
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals((await db.refusal(project.editor.actor, "start_workflow", { workflow_id })).code, "workflow_not_found");
});

Deno.test("someone without an account may not call it at all", async () => {
  const { workflow_id } = await workflow();
  assertEquals((await db.refusal("anon", "start_workflow", { workflow_id })).sqlstate, "42501");
});

for (const status of ["archived", "deleted"]) {
  Deno.test(`nothing starts in a project that is ${status}`, async () => {
    const { project, workflow_id } = await workflow();
    await setStatus(project, status);
    for (const actor of [project.owner.actor, "worker" as const]) {
      const refusal = await db.refusal(actor, "start_workflow", { workflow_id });
      assertEquals([refusal.code, refusal.sqlstate], ["project_not_active", "PT409"]);
    }
  });
}

Deno.test("for its editors a deleted project is gone", async () => {
  const { project, workflow_id } = await workflow();
  await setStatus(project, "deleted");
  assertEquals((await db.refusal(project.editor.actor, "start_workflow", { workflow_id })).code, "workflow_not_found");
});

for (const actor of ["owner", "editor", "worker"] as const) {
  Deno.test(`the ${actor} may start, and the execution says who did`, async () => {
    const { project, workflow_id } = await workflow();
    const { execution } = await db.rpc(actor === "worker" ? actor : project[actor].actor, "start_workflow", {
      workflow_id,
    });
    assertEquals(execution.started_by, actor === "worker" ? null : project[actor].id);
  });
}

Deno.test("an input over 1 MiB is payload_too_large", async () => {
  const { project, workflow_id } = await workflow();
  const input = { text: "x".repeat(1024 * 1024) };
  const refusal = await db.refusal(project.editor.actor, "start_workflow", { workflow_id, input });
  assertEquals([refusal.code, refusal.sqlstate], ["payload_too_large", "PT413"]);
});

for (const input of [[1, 2], "text", 5]) {
  Deno.test(`the input ${JSON.stringify(input)} is no object: validation_failed`, async () => {
    const { project, workflow_id } = await workflow();
    const json = JSON.stringify(input);
    const call = db.as(
      project.editor.actor,
      (tx) => tx`select public.start_workflow(${workflow_id}, null, ${json}::text::jsonb)`,
    );
    const error = await call.then(() => null, (reason) => reason);
    assertEquals(error?.hint, "validation_failed");
  });
}

Deno.test("an input of null is an empty input", async () => {
  const { project, workflow_id } = await workflow();
  const { execution } = await db.rpc(project.editor.actor, "start_workflow", { workflow_id, input: null });
  const [row] = await db.sql`select input from public.workflow_executions where id = ${execution.id}`;
  assertEquals(row?.input, {});
});
