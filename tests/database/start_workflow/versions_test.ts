// start_workflow: which version an execution runs.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, createWorkflow, graph, report } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const one = graph([["a", "b"]]);
const two = graph([["a", "b"], ["b", "c"]]);
const nodeIds = (answer: { tasks: { node_id: string }[] }) => answer.tasks.map((task) => task.node_id);

async function workflow() {
  const project = await createProject(db);
  return { project, actor: project.editor.actor, workflow_id: await createWorkflow(db, project, one) };
}

async function publish(workflow_id: string, definition: unknown): Promise<void> {
  await db.sql`update public.workflows set definition = ${db.sql.json(definition as never)} where id = ${workflow_id}`;
  await db.sql`select private.publish_workflow(${workflow_id})`;
}

Deno.test("the first start of a draft publishes it as version 1, in the starter's name", async () => {
  const { project, actor, workflow_id } = await workflow();
  const { execution } = await db.rpc(actor, "start_workflow", { workflow_id });
  assertEquals(execution.version, 1);
  const versions = await db
    .sql`select version, created_by from public.workflow_versions where workflow_id = ${workflow_id}`;
  assertEquals(versions.map((row) => [row.version, row.created_by]), [[1, project.editor.id]]);
});

Deno.test("two first starts at once publish the draft once", async () => {
  const { actor, workflow_id } = await workflow();
  await using first = await openTransaction(db, actor);
  await using second = await openTransaction(db, actor);
  await first.rpc("start_workflow", { workflow_id });
  const waiting = second.rpc("start_workflow", { workflow_id });
  await waitUntilBlocked(db, second, waiting);
  await first.commit();
  assertEquals((await waiting).execution.version, 1);
  await second.commit();
  const versions = await db.sql`select version from public.workflow_versions where workflow_id = ${workflow_id}`;
  assertEquals(versions.map((row) => row.version), [1]);
});

Deno.test("a start takes the published version and not the draft that was edited since", async () => {
  const { actor, workflow_id } = await workflow();
  await publish(workflow_id, one);
  await db.sql`update public.workflows set definition = ${db.sql.json(two)} where id = ${workflow_id}`;
  assertEquals(nodeIds(await db.rpc(actor, "start_workflow", { workflow_id })), ["a", "b"]);
});

Deno.test("a start takes the current version, and an older one when asked to", async () => {
  const { actor, workflow_id } = await workflow();
  await publish(workflow_id, one);
  await publish(workflow_id, two);
  assertEquals(nodeIds(await db.rpc(actor, "start_workflow", { workflow_id })), ["a", "b", "c"]);
  assertEquals(nodeIds(await db.rpc(actor, "start_workflow", { workflow_id, version: 1 })), ["a", "b"]);
});

Deno.test("an execution goes on with its version when a newer one is published", async () => {
  const { actor, workflow_id } = await workflow();
  const { execution } = await db.rpc(actor, "start_workflow", { workflow_id });
  await publish(workflow_id, two);
  await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "a")));
  const answer = await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, "b")));
  assertEquals([answer.unlocked, answer.execution.status, answer.execution.version], [[], "completed", 1]);
});

for (const version of [2, 0, -1]) {
  Deno.test(`version ${version}, which was never published, is workflow_version_not_found`, async () => {
    const { actor, workflow_id } = await workflow();
    await publish(workflow_id, one);
    const refusal = await db.refusal(actor, "start_workflow", { workflow_id, version });
    assertEquals([refusal.code, refusal.sqlstate], ["workflow_version_not_found", "PT404"]);
  });
}

Deno.test("asking a draft for a version does not publish it", async () => {
  const { actor, workflow_id } = await workflow();
  const refusal = await db.refusal(actor, "start_workflow", { workflow_id, version: 1 });
  assertEquals(refusal.code, "workflow_version_not_found");
  assertEquals((await db.sql`select from public.workflow_versions where workflow_id = ${workflow_id}`).length, 0);
});

Deno.test("the first start waits for the deletion of the starter's account, holding nothing that this needs", async () => {
  const { project, actor, workflow_id } = await workflow();
  await db.sql`update public.workflows set created_by = ${project.editor.id} where id = ${workflow_id}`;
  await using deletion = await openTransaction(db, "superuser");
  await using start = await openTransaction(db, actor);
  await deletion.sql`select from public.profiles where id = ${project.editor.id} for update`;
  const starting = start.rpc("start_workflow", { workflow_id }).then(() => "started", () => "refused");
  await waitUntilBlocked(db, start, starting);
  await deletion.sql`select from public.workflows where id = ${workflow_id} for no key update nowait`;
  await deletion.sql`delete from auth.users where id = ${project.editor.id}`;
  await deletion.commit();
  assertEquals(await starting, "refused");
});
