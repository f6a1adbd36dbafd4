// transfer_project: whose a project is. There is always exactly one who holds it.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createUser } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const standing = async (projectId: string) =>
  (await db.sql`
    select m.user_id, m.role from private.project_members() as m where m.project_id = ${projectId}`)
    .map(({ user_id, role }) => `${user_id} ${role}`).toSorted();
const owns = async (actor: { user: string }, id: string) =>
  (await db.as(actor, (tx) => tx`update public.projects set name = 'Mine' where id = ${id}`)).count === 1;

for (const who of ["editor", "viewer"] as const) {
  Deno.test(`a project passes to its ${who}, and who held it stays as a co-owner`, async () => {
    const project = await createProject(db);
    const heir = project[who];
    const answer = await db.rpc(project.owner.actor, "transfer_project", { project_id: project.id, user_id: heir.id });
    assertEquals(answer, {
      project: { id: project.id, name: "A project", status: "active", owner_id: heir.id },
    });
    const other = who === "editor" ? project.viewer : project.editor;
    assertEquals(
      await standing(project.id),
      [`${heir.id} owner`, `${project.owner.id} owner`, `${other.id} ${who === "editor" ? "viewer" : "editor"}`]
        .toSorted(),
    );
    assertEquals([await owns(heir.actor, project.id), await owns(project.owner.actor, project.id)], [true, true]);
  });
}

Deno.test("who passed a project on can leave it then, and the new holder can remove them", async () => {
  for (const remover of ["owner", "editor"] as const) {
    const project = await createProject(db);
    await db.rpc(project.owner.actor, "transfer_project", { project_id: project.id, user_id: project.editor.id });
    const gone = await db.as(
      project[remover].actor,
      (tx) => tx`delete from public.project_collaborators where user_id = ${project.owner.id}`,
    );
    assertEquals([gone.count, await owns(project.owner.actor, project.id)], [1, false]);
  }
});

Deno.test("the last owner cannot leave, nor be removed or stepped down by a co-owner", async () => {
  const project = await createProject(db);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  for (const actor of [project.owner.actor, project.editor.actor]) {
    for (
      const statement of [
        `delete from public.project_collaborators where user_id = '${project.owner.id}'`,
        `update public.project_collaborators set role = 'viewer' where user_id = '${project.owner.id}'`,
      ]
    ) assertEquals((await db.as(actor, (tx) => tx.unsafe(statement))).count, 0);
  }
  assertEquals(await owns(project.owner.actor, project.id), true);
});

Deno.test("a co-owner cannot take the project: forbidden, and so get editor, viewer and admin", async () => {
  const project = await createProject(db);
  const coOwner = await createUser(db);
  await db.sql`
    insert into public.project_collaborators (project_id, user_id, role) values (${project.id}, ${coOwner.id}, 'owner')`;
  for (const { id, actor } of [coOwner, project.editor, project.viewer, await createAdmin(db)]) {
    const refusal = await db.refusal(actor, "transfer_project", { project_id: project.id, user_id: id });
    assertEquals([refusal.code, refusal.sqlstate], ["forbidden", "PT403"]);
  }
});

Deno.test("a stranger cannot tell a project from one that does not exist", async () => {
  const project = await createProject(db);
  const [real, none] = [project.id, crypto.randomUUID()].map((project_id) =>
    db.refusal(project.stranger.actor, "transfer_project", { project_id, user_id: project.stranger.id })
  );
  assertEquals((await real)?.code, "project_not_found");
  assertEquals(await real, await none);
});

Deno.test("nobody is handed a project who is not in it: person_not_found", async () => {
  const project = await createProject(db);
  for (const user_id of [project.stranger.id, crypto.randomUUID()]) {
    const refusal = await db.refusal(project.owner.actor, "transfer_project", { project_id: project.id, user_id });
    assertEquals([refusal.code, refusal.sqlstate], ["person_not_found", "PT404"]);
  }
});

Deno.test("to oneself, or to nobody, is validation_failed", async () => {
  const project = await createProject(db);
  for (const user_id of [project.owner.id, null]) {
    const refusal = await db.refusal(project.owner.actor, "transfer_project", { project_id: project.id, user_id });
    assertEquals(refusal.code, "validation_failed");
  }
});

Deno.test("an archived project stays whose it is", async () => {
  const project = await createProject(db);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  const request = { project_id: project.id, user_id: project.editor.id };
  assertEquals((await db.refusal(project.owner.actor, "transfer_project", request)).code, "project_not_active");
});

Deno.test("a worker can pass a project on", async () => {
  const project = await createProject(db);
  await db.rpc("worker", "transfer_project", { project_id: project.id, user_id: project.editor.id });
  assertEquals(await owns(project.editor.actor, project.id), true);
});

Deno.test("an account that is deleted leaves its projects to the co-owner of the longest standing", async () => {
  const project = await createProject(db);
  await db
    .sql`update public.project_collaborators set role = 'owner', created_at = now() - interval '1 day' where user_id = ${project.viewer.id}`;
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  await db.sql`delete from auth.users where id = ${project.owner.id}`;
  assertEquals(await standing(project.id), [`${project.viewer.id} owner`, `${project.editor.id} owner`].toSorted());
});

Deno.test("an account that is deleted takes those of its projects along that nobody else owns", async () => {
  const project = await createProject(db);
  await db.sql`delete from auth.users where id = ${project.owner.id}`;
  assertEquals((await db.sql`select from public.projects where id = ${project.id}`).length, 0);
});

Deno.test("whoever is removed at the same moment is not handed the project", async () => {
  const project = await createProject(db);
  const heir = project.editor;
  await using removal = await openTransaction(db, project.owner.actor);
  await removal.sql`delete from public.project_collaborators where user_id = ${heir.id}`;
  await using transfer = await openTransaction(db, project.owner.actor);
  const waiting = transfer.rpc("transfer_project", { project_id: project.id, user_id: heir.id }).then(
    () => "done",
    (error) => error.hint,
  );
  await waitUntilBlocked(db, transfer, waiting);
  await removal.commit();
  assertEquals([await waiting, await owns(project.owner.actor, project.id)], ["person_not_found", true]);
});
