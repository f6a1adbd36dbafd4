// artifact_provenance: from a version to its task, execution, workflow version and people, in one row.
import { assertEquals } from "@std/assert";
import { runTask, save } from "../../support/artifacts.ts";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const provenance = (actor: Actor, projectId: string) =>
  db.as(actor, (tx) => tx`select * from public.artifact_provenance where project_id = ${projectId}`);

Deno.test("a task's artifact leads to the task, its execution, the workflow's version and who started it", async () => {
  const project = await createProject(db);
  const { execution, task } = await runTask(db, project, [{ file_path: "a", content: "made" }]);
  const [row] = await provenance(project.viewer.actor, project.id);
  const [owner] = await db.sql`select full_name from public.profiles where id = ${project.owner.id}`;
  assertEquals([row?.file_path, row?.version, row?.task_id, row?.node_id, row?.agent_type, row?.worker_id], [
    "a",
    1,
    task,
    "a",
    "architect",
    "a worker",
  ]);
  assertEquals([row?.execution_id, row?.execution_status, row?.workflow_name, row?.workflow_version], [
    execution,
    "completed",
    "A workflow",
    1,
  ]);
  assertEquals([row?.started_by, row?.started_by_name], [project.owner.id, owner?.full_name]);
  assertEquals([row?.saved_by, row?.saved_by_name], [null, null]);
});

Deno.test("a file saved by hand leads to the person, and to no task", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "made");
  const [row] = await provenance(project.viewer.actor, project.id);
  const [editor] = await db.sql`select full_name from public.profiles where id = ${project.editor.id}`;
  assertEquals([row?.saved_by, row?.saved_by_name, row?.task_id, row?.execution_id, row?.workflow_id], [
    project.editor.id,
    editor?.full_name,
    null,
    null,
    null,
  ]);
});

Deno.test("a stranger and a former member find no row, whatever they ask for", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "made");
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  for (const person of [project.stranger, project.editor]) {
    assertEquals((await provenance(person.actor, project.id)).length, 0);
  }
});

Deno.test("the name of somebody who has left stays in what they saved", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "made");
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  const [editor] = await db.sql`select full_name from public.profiles where id = ${project.editor.id}`;
  const [row] = await provenance(project.viewer.actor, project.id);
  assertEquals(row?.saved_by_name, editor?.full_name);
});

Deno.test("the names behind it are told to members and workers, and to no stranger who calls for them", async () => {
  const project = await createProject(db);
  await runTask(db, project, [{ file_path: "a", content: "made" }]);
  await save(db, project, "b", "made");
  const rows = await db.sql`
    select
      (select id from public.code_artifacts where project_id = ${project.id} and file_path = 'b') as saved,
      x.id as started, v.id as published
    from public.workflow_executions as x join public.workflow_versions as v on v.id = x.version_id
    where x.project_id = ${project.id}`;
  const names = (actor: Actor) =>
    db.as(actor, (tx) =>
      tx`
      select
        private.saved_by_name(${rows[0]?.saved}) as saved, private.started_by_name(${rows[0]?.started}) as started,
        private.published_by_name(${rows[0]?.published}) as published`);
  const [told] = await names(project.viewer.actor);
  assertEquals(Object.values(told ?? {}).map((name) => typeof name), ["string", "string", "string"]);
  assertEquals([...await names("worker")], [told]);
  assertEquals([...await names(project.stranger.actor)], [{ saved: null, started: null, published: null }]);
});
