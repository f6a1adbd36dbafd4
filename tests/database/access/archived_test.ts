// access: in a project that is archived or deleted nothing changes for its owner either; what concerns the project
// itself, and who is in it, still can.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import {
  createAdmin,
  createAgent,
  createChatSession,
  createProject,
  createWorkflow,
  storeObject,
} from "../../support/factories.ts";

const db = await shareDatabase();

async function setAside(status: string) {
  const project = await createProject(db);
  const session = await createChatSession(db, project.id, project.owner, true);
  const agent = await createAgent(db, project.id);
  const workflow = await createWorkflow(db, project, { nodes: [] });
  const [type] = await db
    .sql`insert into public.agent_types (project_id, name) values (${project.id}, 'potter') returning id`;
  await storeObject(db, `${project.id}/file`, 1, project.owner);
  await db.sql`update public.projects set status = ${status} where id = ${project.id}`;
  return { project, session, agent, workflow, type: type?.id };
}

for (const status of ["archived", "deleted"]) {
  Deno.test(`the owner of an ${status} project changes and removes nothing in it`, async () => {
    const { project, session, agent, workflow, type } = await setAside(status);
    for (
      const statement of [
        `update public.agents set name = 'New' where id = '${agent}'`,
        `delete from public.agents where id = '${agent}'`,
        `update public.agent_types set description = 'New' where id = '${type}'`,
        `delete from public.agent_types where id = '${type}'`,
        `update public.workflows set name = 'New' where id = '${workflow}'`,
        `delete from public.workflows where id = '${workflow}'`,
        `update public.chat_sessions set title = 'New' where id = '${session}'`,
        `delete from public.chat_sessions where id = '${session}'`,
        `delete from storage.objects where name = '${project.id}/file'`,
      ]
    ) {
      const { count } = await db.as(project.owner.actor, async (tx) => {
        await tx`select set_config('storage.allow_delete_query', 'true', true)`;
        return await tx.unsafe(statement);
      });
      assertEquals(count, 0, statement);
    }
  });

  Deno.test(`the owner of an ${status} project gives nobody another role in it, and changes nothing of its own`, async () => {
    const { project } = await setAside(status);
    const { count } = await db.as(
      project.owner.actor,
      (tx) => tx`update public.project_collaborators set role = 'owner' where user_id = ${project.viewer.id}`,
    );
    assertEquals(count, 0);
    for (const change of ["name = 'New'", "description = 'New'", `settings = '{"concurrency_limit": 1}'`]) {
      const update = db.as(
        project.owner.actor,
        (tx) => tx.unsafe(`update public.projects set ${change} where id = '${project.id}'`),
      );
      assertEquals((await refused(update)).code, "project_not_active", change);
    }
  });

  Deno.test(`an admin changes no agents of an ${status} project`, async () => {
    const { project, agent } = await setAside(status);
    const admin = await createAdmin(db);
    for (const statement of [`update public.agents set name = 'New'`, "delete from public.agents"]) {
      const { count } = await db.as(admin.actor, (tx) => tx.unsafe(`${statement} where id = '${agent}'`));
      assertEquals(count, 0, statement);
    }
    const insert = db.as(
      admin.actor,
      (tx) => tx`insert into public.agents (project_id, name, type) values (${project.id}, 'Mine', 'tester')`,
    );
    assertEquals((await refused(insert)).sqlstate, "42501");
  });

  Deno.test(`the owner of an ${status} project adds nothing to it`, async () => {
    const { project, session } = await setAside(status);
    for (
      const statement of [
        `public.agents (project_id, name, type) values ('${project.id}', 'Mine', 'tester')`,
        `public.agent_types (project_id, name) values ('${project.id}', 'weaver')`,
        `public.workflows (project_id, name, definition) values ('${project.id}', 'Mine', '{}')`,
        `public.chat_sessions (project_id) values ('${project.id}')`,
        `public.chat_messages (session_id, role, content) values ('${session}', 'user', 'hello')`,
        `storage.objects (bucket_id, name) values ('genesis-files', '${project.id}/new')`,
      ]
    ) {
      const insert = db.as(project.owner.actor, (tx) => tx.unsafe(`insert into ${statement}`));
      assertEquals((await refused(insert)).sqlstate, "42501", statement);
    }
  });

  Deno.test(`the owner of an ${status} project restores it, and removes people from it`, async () => {
    const { project } = await setAside(status);
    const { count } = await db.as(
      project.owner.actor,
      (tx) => tx`delete from public.project_collaborators where user_id = ${project.viewer.id}`,
    );
    const restored = await db.as(
      project.owner.actor,
      (tx) => tx`update public.projects set status = 'active' where id = ${project.id}`,
    );
    assertEquals([count, restored.count], [1, 1]);
  });
}

Deno.test("members of an archived project open no chats, edit none, and can leave", async () => {
  const { project } = await setAside("archived");
  const session = await createChatSession(db, project.id, project.viewer);
  const open = db.as(
    project.viewer.actor,
    (tx) => tx`insert into public.chat_sessions (project_id) values (${project.id})`,
  );
  assertEquals((await refused(open)).sqlstate, "42501");
  const [edited, left] = await db.as(project.viewer.actor, async (tx) => [
    await tx`update public.chat_sessions set title = 'New' where id = ${session}`,
    await tx`delete from public.project_collaborators where user_id = ${project.viewer.id}`,
  ]);
  assertEquals([edited?.count, left?.count], [0, 1]);
});
