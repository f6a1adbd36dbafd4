// access: what supabase-js does with .insert().select(): the creator reads the new row in the same statement.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createAdmin, createChatSession, createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);
const admin = await createAdmin(db);
const session = await createChatSession(db, project.id, project.viewer);

const inserts: [string, { actor: { user: string } }, string][] = [
  ["anyone's own project", project.stranger, `projects (name, owner_id) values ('Mine', '${project.stranger.id}')`],
  [
    "an editor's workflow",
    project.editor,
    `workflows (project_id, name, definition) values ('${project.id}', 'Mine', '{}')`,
  ],
  ["an owner's agent", project.owner, `agents (project_id, name, type) values ('${project.id}', 'Mine', 'tester')`],
  [
    "an owner's inactive agent",
    project.owner,
    `agents (project_id, name, type, status) values ('${project.id}', 'Mine', 'tester', 'inactive')`,
  ],
  ["an admin's global agent", admin, `agents (name, type) values ('Mine', 'tester')`],
  ["an owner's agent type", project.owner, `agent_types (project_id, name) values ('${project.id}', 'potter')`],
  ["an admin's global agent type", admin, `agent_types (name) values ('weaver')`],
  ["a viewer's chat session", project.viewer, `chat_sessions (project_id) values ('${project.id}')`],
  [
    "a viewer's message",
    project.viewer,
    `chat_messages (session_id, role, content) values ('${session}', 'user', 'hello')`,
  ],
];
for (const [what, person, statement] of inserts) {
  Deno.test(`INSERT … RETURNING gives ${what} back`, async () => {
    const rows = await db.as(person.actor, (tx) => tx.unsafe(`insert into public.${statement} returning id`));
    assertEquals(rows.length, 1);
  });
}

Deno.test("a created workflow, agent and message carry their creator's id", async () => {
  const [workflow] = await db.as(
    project.editor.actor,
    (tx) =>
      tx`insert into public.workflows (project_id, name, definition) values (${project.id}, 'Mine', '{}') returning created_by`,
  );
  const [agent] = await db.as(
    project.owner.actor,
    (tx) =>
      tx`insert into public.agents (project_id, name, type) values (${project.id}, 'Mine', 'tester') returning created_by`,
  );
  const [message] = await db.as(
    project.viewer.actor,
    (tx) =>
      tx`insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'x') returning user_id`,
  );
  assertEquals([workflow?.created_by, agent?.created_by, message?.user_id], [
    project.editor.id,
    project.owner.id,
    project.viewer.id,
  ]);
});

Deno.test("an agent of an unknown type is refused, and so is one of another project's type", async () => {
  const other = await createProject(db);
  await db.sql`insert into public.agent_types (project_id, name) values (${other.id}, 'glazier')`;
  for (const type of ["wizard", "glazier"]) {
    const insert = db.as(
      project.owner.actor,
      (tx) => tx`insert into public.agents (project_id, name, type) values (${project.id}, 'Mine', ${type})`,
    );
    assertEquals((await refused(insert)).sqlstate, "23514");
  }
});
