// access: who loses a right while their statement waits for a row does not use it any more.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createChatSession,
  createFile,
  createProject,
  createUser,
  createWorkflow,
  graph,
  invitationToken,
  report,
  startExecution,
} from "../../support/factories.ts";
import { type OpenTransaction, openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

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

/** What somebody is answered whom a change meets while they wait for the holder. */
async function whileHeld(
  holder: OpenTransaction,
  own: OpenTransaction,
  act: PromiseLike<unknown>,
  change: () => PromiseLike<unknown>,
) {
  const waiting = act.then(() => "done", (error) => error.hint ?? error.message);
  await waitUntilBlocked(db, own);
  await change();
  await holder.commit();
  return await waiting;
}
const nothing = () => Promise.resolve();

Deno.test("who reports while a chat is taken back from the project writes nothing in it any more", async () => {
  const project = await createProject(db);
  const session_id = await createChatSession(db, project.id, project.owner, true);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const task = report(await claimNode(db, execution.id, "a"), { messages: [{ session_id, content: "late" }] });
  await using owner = await openTransaction(db, project.owner.actor);
  await owner.sql`update public.chat_sessions set is_shared = false where id = ${session_id}`;
  await using own = await openTransaction(db, project.editor.actor);
  assertEquals(await whileHeld(owner, own, own.rpc("complete_task", task), nothing), "session_not_found");
});

Deno.test("who is removed while they repeat a start is not told of the execution", async () => {
  const project = await createProject(db);
  const start = { workflow_id: await createWorkflow(db, project, graph([["a", "b"]])), idempotency_key: "once" };
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id: start.workflow_id });
  await using owner = await openTransaction(db, project.owner.actor);
  await owner.rpc("start_workflow", start);
  await using own = await openTransaction(db, project.editor.actor);
  const remove = () => db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals(await whileHeld(owner, own, own.rpc("start_workflow", start), remove), "project_not_found");
});

Deno.test("an account that has another address by the time it is its turn accepts nothing", async () => {
  const { id, owner } = await createProject(db);
  const person = await createUser(db);
  const token_sha256 = await invitationToken();
  const invitation = { project_id: id, email: person.email, role: "viewer", token_sha256 };
  await db.rpc(owner.actor, "invite_collaborator", invitation);
  await using holder = await openTransaction(db, "superuser");
  await holder.sql`select from public.projects where id = ${id} for update`;
  await using own = await openTransaction(db, person.actor);
  const move = () => db.sql`update auth.users set email = ${`new-${person.email}`} where id = ${person.id}`;
  const accept = own.rpc("accept_invitation", { token_sha256 });
  assertEquals(await whileHeld(holder, own, accept, move), "invitation_wrong_address");
});

Deno.test("who waits for an object while its project is archived does not delete it any more", async () => {
  const project = await createProject(db);
  const { file_path } = await createFile(db, project);
  await using holder = await openTransaction(db, "superuser");
  await holder.sql`select from storage.objects where name = ${file_path} for update`;
  await using own = await openTransaction(db, project.editor.actor);
  await own.sql`select set_config('storage.allow_delete_query', 'true', true)`;
  const archive = () => db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  const removal = own.sql`delete from storage.objects where bucket_id = 'genesis-files' and name = ${file_path}`;
  assertEquals(await whileHeld(holder, own, removal, archive), "You may no longer delete this object.");
});
