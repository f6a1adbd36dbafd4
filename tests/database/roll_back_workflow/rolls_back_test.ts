// roll_back_workflow: an older version becomes current again, as a new version that names its source.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createWorkflow, graph } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const one = graph([["a", "b"]]);
const two = graph([["x", "y"]]);

/** A workflow with version 1 (one) and version 2 (two). */
async function versions() {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, one);
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  await db.sql`update public.workflows set definition = ${db.sql.json(two)} where id = ${workflow_id}`;
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  return { ...project, workflow_id };
}
const rollBack = (actor: Actor, workflow_id: string, to_version: number) =>
  db.rpc(actor, "roll_back_workflow", { workflow_id, to_version });

Deno.test("the older definition is a new version, current, in the name of whoever rolled back", async () => {
  const { editor, workflow_id } = await versions();
  assertEquals(await rollBack(editor.actor, workflow_id, 1), { version: 3 });
  const [row] = await db.sql`
    select v.definition, v.source_version, v.created_by, w.current_version
    from public.workflow_versions as v join public.workflows as w on w.id = v.workflow_id
    where v.workflow_id = ${workflow_id} and v.version = 3`;
  assertEquals([row?.definition, row?.source_version, row?.created_by, row?.current_version], [one, 1, editor.id, 3]);
});

Deno.test("the next start runs it; what already runs goes on as it was", async () => {
  const { editor, workflow_id } = await versions();
  const before = await db.rpc(editor.actor, "start_workflow", { workflow_id });
  await rollBack(editor.actor, workflow_id, 1);
  const after = await db.rpc(editor.actor, "start_workflow", { workflow_id });
  const nodes = (answer: { tasks: { node_id: string }[] }) => answer.tasks.map((task) => task.node_id);
  assertEquals([nodes(before), nodes(after), after.execution.version], [["x", "y"], ["a", "b"], 3]);
});

Deno.test("the draft stays as it is", async () => {
  const { editor, workflow_id } = await versions();
  await rollBack(editor.actor, workflow_id, 1);
  const [row] = await db.sql`select definition from public.workflows where id = ${workflow_id}`;
  assertEquals(row?.definition, two);
});

Deno.test("rolling back and forth only ever adds versions", async () => {
  const { editor, workflow_id } = await versions();
  for (const [to, expected] of [[1, 3], [2, 4], [3, 5]] as const) {
    assertEquals(await rollBack(editor.actor, workflow_id, to), { version: expected });
  }
});

Deno.test("a version whose agent type is gone cannot be current again, and the fault is named", async () => {
  const project = await createProject(db);
  await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, 'potter')`;
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]], { a: { agent_type: "potter" } }));
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  await db.sql`delete from public.agent_types where project_id = ${project.id}`;
  const refusal = await db.refusal("worker", "roll_back_workflow", { workflow_id, to_version: 1 });
  assertEquals(refusal.code, "workflow_invalid");
  assertEquals((refusal.details.faults as { code: string }[]).map((fault) => fault.code), ["unknown_agent_type"]);
});

for (const to_version of [3, 0, -1, null]) {
  Deno.test(`version ${to_version}, which was never published, is workflow_version_not_found`, async () => {
    const { editor, workflow_id } = await versions();
    const refusal = await db.refusal(editor.actor, "roll_back_workflow", { workflow_id, to_version });
    assertEquals([refusal.code, refusal.sqlstate], ["workflow_version_not_found", "PT404"]);
  });
}

Deno.test("a publish and a rollback at once take turns", async () => {
  const { editor, owner, workflow_id } = await versions();
  await using first = await openTransaction(db, editor.actor);
  await using second = await openTransaction(db, owner.actor);
  await first.rpc("publish_workflow", { workflow_id });
  const pending = second.rpc("roll_back_workflow", { workflow_id, to_version: 1 });
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals((await pending).version, 4);
  await second.commit();
});

for (const door of ["roll_back_workflow", "publish_workflow"]) {
  Deno.test(`${door}: an owner, an editor and a worker may; a viewer, an admin, a stranger and anon may not`, async () => {
    const { owner, editor, viewer, stranger, workflow_id } = await versions();
    const request = { workflow_id, ...(door === "roll_back_workflow" ? { to_version: 1 } : {}) };
    for (const actor of [owner.actor, editor.actor, "worker"] as const) await db.rpc(actor, door, request);
    const codeOf = async (actor: Actor) => (await db.refusal(actor, door, request)).code;
    assertEquals(await codeOf(viewer.actor), "forbidden");
    assertEquals(await codeOf((await createAdmin(db)).actor), "forbidden");
    assertEquals(await codeOf(stranger.actor), "workflow_not_found");
    assertEquals((await db.refusal("anon", door, request)).sqlstate, "42501");
  });

  Deno.test(`${door}: nothing is published in an archived project`, async () => {
    const { id, owner, workflow_id } = await versions();
    await db.sql`update public.projects set status = 'archived' where id = ${id}`;
    const request = { workflow_id, ...(door === "roll_back_workflow" ? { to_version: 1 } : {}) };
    assertEquals((await db.refusal(owner.actor, door, request)).code, "project_not_active");
  });
}
