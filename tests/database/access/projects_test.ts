// access: what archiving, deleting and leaving a project do to the people in it.
import type postgres from "postgres";
import { assertEquals } from "@std/assert";
import { type Actor, refused, shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject, createUser, type Person } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";
import { createWorld, type World } from "./world.ts";

const db = await shareDatabase();

const setStatus = (actor: Actor, id: string, status: string) =>
  db.as(actor, (tx) => tx`update public.projects set status = ${status} where id = ${id}`);

/** How many rows of the project a person sees in each table. */
async function seen(world: World, actor: Actor): Promise<Record<string, number>> {
  const tables = [
    "workflows",
    "workflow_versions",
    "workflow_executions",
    "agent_tasks",
    "execution_events",
    "code_artifacts",
    "file_storage",
    "chat_sessions",
    "project_collaborators",
  ];
  return await db.as(actor, async (tx) => {
    const counts: Record<string, number> = {};
    for (const table of tables) {
      counts[table] = (await tx.unsafe(`select from public.${table} where project_id = '${world.project}'`)).length;
    }
    return counts;
  });
}

Deno.test("a deleted project is hidden from its members with everything in it, but not from its owner", async () => {
  const world = await createWorld(db);
  const before = await seen(world, world.actors.owner);
  await setStatus(world.actors.owner, world.project, "deleted");
  for (const actor of [world.actors.editor, world.actors.viewer]) {
    assertEquals(new Set(Object.values(await seen(world, actor))), new Set([0]));
  }
  assertEquals(await seen(world, world.actors.owner), before);
});

Deno.test("the owner can restore a deleted project", async () => {
  const project = await createProject(db);
  await setStatus(project.owner.actor, project.id, "deleted");
  await setStatus(project.owner.actor, project.id, "active");
  const rows = await db.as(project.viewer.actor, (tx) => tx`select id from public.projects`);
  assertEquals(rows.map((row) => row.id), [project.id]);
});

Deno.test("members still read an archived project", async () => {
  const world = await createWorld(db);
  const before = await seen(world, world.actors.viewer);
  await setStatus(world.actors.owner, world.project, "archived");
  assertEquals(await seen(world, world.actors.viewer), before);
});

Deno.test("in an archived project no workflow, message or object is added, and none is changed", async () => {
  const project = await createProject(db);
  const session = await createChatSession(db, project.id, project.editor);
  await db.sql`insert into public.workflows (project_id, name, definition) values (${project.id}, 'Old', '{}')`;
  await setStatus(project.owner.actor, project.id, "archived");
  for (
    const statement of [
      `insert into public.workflows (project_id, name, definition) values ('${project.id}', 'Mine', '{}')`,
      `insert into public.chat_messages (session_id, role, content) values ('${session}', 'user', 'hello')`,
      `insert into storage.objects (bucket_id, name) values ('genesis-files', '${project.id}/new')`,
    ]
  ) {
    assertEquals(
      (await refused(db.as(project.editor.actor, (tx) => tx.unsafe(statement)))).sqlstate,
      "42501",
      statement,
    );
  }
  const changed = await db.as(
    project.editor.actor,
    (tx) => tx`update public.workflows set name = 'New' where project_id = ${project.id}`,
  );
  assertEquals(changed.count, 0);
});

Deno.test("a collaborator with the role owner has the owner's rights", async () => {
  const project = await createProject(db);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  const renamed = await db.as(
    project.editor.actor,
    (tx) => tx`update public.projects set name = 'Ours' where id = ${project.id}`,
  );
  assertEquals(renamed.count, 1);
});

Deno.test("a collaborator whose role is lowered loses the rights with the next statement", async () => {
  const project = await createProject(db);
  const edit = () =>
    db.as(
      project.editor.actor,
      (tx) => tx`insert into public.workflows (project_id, name, definition) values (${project.id}, 'x', '{}')`,
    );
  await edit();
  await db.as(
    project.owner.actor,
    (tx) => tx`update public.project_collaborators set role = 'viewer' where user_id = ${project.editor.id}`,
  );
  assertEquals((await refused(edit())).sqlstate, "42501");
});

Deno.test("anyone can leave, and sees nothing from then on", async () => {
  const project = await createProject(db);
  await db.as(
    project.viewer.actor,
    (tx) => tx`delete from public.project_collaborators where user_id = ${project.viewer.id}`,
  );
  assertEquals((await db.as(project.viewer.actor, (tx) => tx`select from public.projects`)).length, 0);
});

Deno.test("nobody can make themselves a member by changing their membership's role", async () => {
  const project = await createProject(db);
  for (const person of [project.viewer, project.editor]) {
    const raised = await db.as(
      person.actor,
      (tx) => tx`update public.project_collaborators set role = 'owner' where user_id = ${person.id}`,
    );
    assertEquals(raised.count, 0);
  }
});

Deno.test("nobody reads the projects of others, however many there are", async () => {
  const [mine] = [await createProject(db), await createProject(db)];
  const rows = await db.as(mine.owner.actor, (tx) => tx`select id from public.projects`);
  assertEquals(rows.map((row) => row.id), [mine.id]);
});

/** Somebody who holds all the projects that one person may hold but one. */
async function withRoomForOne(): Promise<Person> {
  const person = await createUser(db);
  await db
    .sql`insert into public.projects (name, owner_id) select 'One of many', ${person.id} from generate_series(1, 999)`;
  return person;
}
const another = (tx: postgres.TransactionSql, { id }: Person) =>
  tx`insert into public.projects (name, owner_id) values ('Another', ${id})`;

Deno.test("one person makes projects until they hold a thousand", async () => {
  const person = await withRoomForOne();
  await db.as(person.actor, (tx) => another(tx, person));
  assertEquals((await refused(db.as(person.actor, (tx) => another(tx, person)))).code, "too_many_projects");
});

Deno.test("of two last projects that one person makes at once one is too many", async () => {
  const person = await withRoomForOne();
  await using first = await openTransaction(db, person.actor);
  await another(first.sql, person);
  await using second = await openTransaction(db, person.actor);
  const waiting = another(second.sql, person).then(() => "done", (error) => error.hint);
  await waitUntilBlocked(db, second);
  await first.commit();
  assertEquals(await waiting, "too_many_projects");
});
