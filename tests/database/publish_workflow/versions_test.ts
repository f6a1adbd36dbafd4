// publish_workflow: versions count up, freeze what was published and cannot be rewritten by anyone.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const one = graph([["a", "b"]]);
const two = graph([["a", "b"], ["b", "c"]]);

/** A workflow whose version 1 is published. */
async function published() {
  const project = await createProject(db);
  const workflowId = await createWorkflow(db, project, one);
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id: workflowId });
  const [row] = await db.sql`select id from public.workflow_versions where workflow_id = ${workflowId}`;
  return { project, workflowId, versionId: row?.id as string };
}

Deno.test("versions count from one, and the newest is the current one", async () => {
  const { project, workflowId } = await published();
  await db.sql`update public.workflows set definition = ${db.sql.json(two)} where id = ${workflowId}`;
  assertEquals(await db.rpc(project.editor.actor, "publish_workflow", { workflow_id: workflowId }), {
    version: 2,
    warnings: [],
  });
  const versions = await db
    .sql`select version, definition from public.workflow_versions where workflow_id = ${workflowId} order by 1`;
  assertEquals(versions.map((row) => [row.version, row.definition]), [[1, one], [2, two]]);
  const [workflow] = await db.sql`select status, current_version from public.workflows where id = ${workflowId}`;
  assertEquals([workflow?.status, workflow?.current_version], ["active", 2]);
});

Deno.test("two publishers at once take turns and make two versions", async () => {
  const { project, workflowId } = await published();
  await using first = await openTransaction(db, project.editor.actor);
  await using second = await openTransaction(db, project.owner.actor);
  await first.rpc("publish_workflow", { workflow_id: workflowId });
  const waiting = second.rpc("publish_workflow", { workflow_id: workflowId });
  await waitUntilBlocked(db, second, waiting);
  await first.commit();
  assertEquals((await waiting).version, 3);
  await second.commit();
});

Deno.test("editing the draft does not change a published version", async () => {
  const { project, workflowId, versionId } = await published();
  await db.as(
    project.editor.actor,
    (tx) => tx`update public.workflows set definition = ${tx.json(two)} where id = ${workflowId}`,
  );
  const [row] = await db.sql`select definition from public.workflow_versions where id = ${versionId}`;
  assertEquals(row?.definition, one);
});

Deno.test("no member can change or delete a version", async () => {
  const { project, versionId } = await published();
  for (const person of [project.owner, project.editor, project.viewer]) {
    for (const verb of ["update public.workflow_versions set version = 9", "delete from public.workflow_versions"]) {
      const refusal = await refused(db.as(person.actor, (tx) => tx.unsafe(`${verb} where id = '${versionId}'`)));
      assertEquals(refusal.sqlstate, "42501", verb);
    }
  }
});

Deno.test("a worker cannot change or delete a version", async () => {
  const { versionId } = await published();
  for (const verb of ["update public.workflow_versions set version = 9", "delete from public.workflow_versions"]) {
    const refusal = await refused(db.as("worker", (tx) => tx.unsafe(`${verb} where id = '${versionId}'`)));
    assertEquals(refusal.sqlstate, "42501", verb);
  }
});

Deno.test("not even the owner of the tables can rewrite a version", async () => {
  const { versionId } = await published();
  for (
    const change of ["definition = '{}'", "version = 9", "project_id = gen_random_uuid()", "created_at = now() + '1 s'"]
  ) {
    const refusal = await refused(
      db.sql.unsafe(`update public.workflow_versions set ${change} where id = '${versionId}'`),
    );
    assertEquals(refusal.sqlstate, "42501", change);
  }
});

Deno.test("a version outlives the account of whoever published it", async () => {
  const { project, workflowId, versionId } = await published();
  await db.sql`update public.workflow_versions set created_by = ${project.editor.id} where id = ${versionId}`;
  await db.sql`delete from auth.users where id = ${project.editor.id}`;
  const [row] = await db.sql`select created_by from public.workflow_versions where workflow_id = ${workflowId}`;
  assertEquals(row?.created_by, null);
});

Deno.test("deleting a workflow takes its versions and compiled graphs along", async () => {
  const { project, workflowId, versionId } = await published();
  await db.as(project.owner.actor, (tx) => tx`delete from public.workflows where id = ${workflowId}`);
  const left = await db.sql`
    select version_id from private.workflow_nodes where version_id = ${versionId}
    union all select version_id from private.workflow_edges where version_id = ${versionId}
    union all select version_id from private.workflow_graphs where version_id = ${versionId}
    union all select id from public.workflow_versions where id = ${versionId}`;
  assertEquals(left.length, 0);
});
