// access: who loses a right while their statement waits for a row does not use it any more.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A project whose editor is a co-owner, who is being made a viewer while they run that statement on the same row. */
async function whileDemoted(statement: (id: string) => string) {
  const project = await createProject(db);
  const { id } = project.editor;
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${id}`;
  await using demotion = await openTransaction(db, project.owner.actor);
  await demotion
    .sql`update public.project_collaborators set role = 'viewer' where user_id in (${id}, ${project.viewer.id})`;
  await using own = await openTransaction(db, project.editor.actor);
  const waiting = own.sql.unsafe(statement(project.id)).then(() => "done", (error) => error.hint);
  await waitUntilBlocked(db, own);
  await demotion.commit();
  const answer = await waiting;
  await own.commit().catch(() => {});
  const rows = await db.sql`select user_id, role from public.project_collaborators where project_id = ${project.id}`;
  return [answer, rows.map(({ role }) => role)];
}

const refusal = ["forbidden", ["viewer", "viewer"]];

Deno.test("a co-owner who is being demoted does not make themselves an owner again", async () => {
  const raise = (id: string) => `update public.project_collaborators set role = 'owner' where project_id = '${id}'`;
  assertEquals(await whileDemoted(raise), refusal);
});

Deno.test("a co-owner who is being demoted removes nobody any more", async () => {
  const remove = (id: string) =>
    `delete from public.project_collaborators where project_id = '${id}' and user_id <> (select auth.uid())`;
  assertEquals(await whileDemoted(remove), refusal);
});
