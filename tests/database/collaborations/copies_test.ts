// private.collaborations: the copy that policies read is true at every moment, whoever changes what it is made of.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createUser, type Project } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const readable = async (project: Project, person: { actor: { user: string } }) => {
  const rows = await db.as(person.actor, (tx) => tx`select id from public.projects where id = ${project.id}`);
  return rows.length === 1;
};

const setStatus = (project: Project, status: string) =>
  db.sql`update public.projects set status = ${status} where id = ${project.id}`;

Deno.test("the copy holds every collaborator with the role and the state of the project", async () => {
  const project = await createProject(db);
  await setStatus(project, "archived");
  const rows = await db.sql`
    select user_id, role, project_status from private.collaborations where project_id = ${project.id} order by role`;
  assertEquals(rows.map((row) => ({ ...row })), [
    { user_id: project.editor.id, role: "editor", project_status: "archived" },
    { user_id: project.viewer.id, role: "viewer", project_status: "archived" },
  ]);
});

Deno.test("a project that is deleted is gone for its members at once, and back when it is restored", async () => {
  const project = await createProject(db);
  await setStatus(project, "deleted");
  assertEquals([await readable(project, project.viewer), await readable(project, project.owner)], [false, true]);
  await setStatus(project, "active");
  assertEquals(await readable(project, project.viewer), true);
});

Deno.test("a collaborator who is removed reads nothing any more", async () => {
  const project = await createProject(db);
  await db.sql`delete from public.project_collaborators where user_id = ${project.viewer.id}`;
  assertEquals([await readable(project, project.viewer), await readable(project, project.editor)], [false, true]);
});

Deno.test("a change of role reaches the copy", async () => {
  const project = await createProject(db);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.viewer.id}`;
  await setStatus(project, "deleted");
  assertEquals([await readable(project, project.viewer), await readable(project, project.editor)], [true, false]);
});

Deno.test("a project that is removed takes its copies along", async () => {
  const project = await createProject(db);
  await db.sql`delete from public.projects where id = ${project.id}`;
  const [left] = await db.sql`
    select count(*)::integer as n from private.collaborations where project_id = ${project.id}`;
  assertEquals(left?.n, 0);
});

Deno.test("someone added while the project is being deleted is not let in", async () => {
  const project = await createProject(db);
  const latecomer = await createUser(db);
  await using deletion = await openTransaction(db, "superuser");
  await using addition = await openTransaction(db, "superuser");
  await deletion.sql`update public.projects set status = 'deleted' where id = ${project.id}`;
  const added = addition.sql`
    insert into public.project_collaborators (project_id, user_id, role)
    values (${project.id}, ${latecomer.id}, 'viewer')`.execute();
  await waitUntilBlocked(db, addition);
  await deletion.commit();
  await added;
  await addition.commit();
  assertEquals(await readable(project, latecomer), false);
});

Deno.test("a project is not deleted past someone who is just being added", async () => {
  const project = await createProject(db);
  const newcomer = await createUser(db);
  await using addition = await openTransaction(db, "superuser");
  await using deletion = await openTransaction(db, "superuser");
  await addition.sql`
    insert into public.project_collaborators (project_id, user_id, role)
    values (${project.id}, ${newcomer.id}, 'viewer')`;
  const deleted = deletion.sql`update public.projects set status = 'deleted' where id = ${project.id}`.execute();
  await waitUntilBlocked(db, deletion);
  await addition.commit();
  await deleted;
  await deletion.commit();
  assertEquals(await readable(project, newcomer), false);
});
