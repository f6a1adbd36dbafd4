// accept_invitation: who was removed, or given less, does not come back by an invitation that had been out before.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createUser, invitationToken, type Person, type Project } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function invite(project: Project, email: string): Promise<string> {
  const token_sha256 = await invitationToken();
  const request = { project_id: project.id, email, role: "editor", token_sha256 };
  await db.rpc(project.owner.actor, "invite_collaborator", request);
  return token_sha256;
}
const accepted = async (person: Person, token_sha256: string) =>
  (await db.refusal(person.actor, "accept_invitation", { token_sha256 })).code;
const remove = ({ id, actor }: Person, by = actor) =>
  db.as(by, (tx) => tx`delete from public.project_collaborators where user_id = ${id}`);

Deno.test("who is removed cannot accept an invitation of before, also where it was in capitals", async () => {
  const project = await createProject(db);
  const token = await invite(project, project.editor.email.toUpperCase());
  assertEquals(await accepted(project.editor, token), "already_a_member");
  await remove(project.editor, project.owner.actor);
  assertEquals(await accepted(project.editor, token), "invitation_not_pending");
});

Deno.test("who is given a lower role and leaves cannot accept an invitation of before", async () => {
  const project = await createProject(db);
  const token = await invite(project, project.editor.email);
  await db.sql`update public.project_collaborators set role = 'viewer' where user_id = ${project.editor.id}`;
  assertEquals(await accepted(project.editor, token), "invitation_not_pending");
});

Deno.test("who leaves comes back by a new invitation, not by an old one", async () => {
  const project = await createProject(db);
  const old = await invite(project, project.editor.email);
  await remove(project.editor);
  assertEquals(await accepted(project.editor, old), "invitation_not_pending");
  const token_sha256 = await invite(project, project.editor.email);
  const { collaborator } = await db.rpc(project.editor.actor, "accept_invitation", { token_sha256 });
  assertEquals(collaborator.role, "editor");
});

Deno.test("an invitation outlives a higher role, the removal of somebody else, and a removal elsewhere", async () => {
  const [project, elsewhere, person] = [await createProject(db), await createProject(db), await createUser(db)];
  const tokens = [await invite(project, project.editor.email), await invite(project, person.email)];
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  await remove(project.viewer);
  await db.sql`insert into public.project_collaborators (project_id, user_id) values (${elsewhere.id}, ${person.id})`;
  await remove(person);
  assertEquals(await accepted(project.editor, tokens[0] ?? ""), "already_a_member");
  await db.rpc(person.actor, "accept_invitation", { token_sha256: tokens[1] });
});

Deno.test("who accepts while they are being removed is not let back in", async () => {
  const project = await createProject(db);
  const token_sha256 = await invite(project, project.editor.email);
  await using removal = await openTransaction(db, project.owner.actor);
  await removal.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  await using own = await openTransaction(db, project.editor.actor);
  const waiting = own.rpc("accept_invitation", { token_sha256 }).then(() => "in", (error) => error.hint);
  await waitUntilBlocked(db, own);
  await removal.commit();
  assertEquals(await waiting, "invitation_not_pending");
});

Deno.test("a holder whom a worker replaces by somebody else cannot accept an invitation of before", async () => {
  const project = await createProject(db);
  const token = await invite(project, project.owner.email);
  await db.as(
    "worker",
    (tx) => tx`update public.projects set owner_id = ${project.stranger.id} where id = ${project.id}`,
  );
  assertEquals(await accepted(project.owner, token), "invitation_not_pending");
});

Deno.test("a member to whom the project is passed on keeps their invitation until they go", async () => {
  const project = await createProject(db);
  const token = await invite(project, project.editor.email);
  await db.rpc(project.owner.actor, "transfer_project", { project_id: project.id, user_id: project.editor.id });
  assertEquals(await accepted(project.editor, token), "already_a_member");
});

Deno.test("with an account the invitations of its projects to its address end: who signs up with it anew is somebody else", async () => {
  const project = await createProject(db);
  const token_sha256 = await invite(project, project.viewer.email);
  await db.sql`delete from auth.users where id = ${project.viewer.id}`;
  const [invitation] = await db.sql`
    select i.status from public.project_invitations as i
    join private.invitation_tokens as k on k.invitation_id = i.id
    where k.token_hash = decode(${token_sha256}, 'hex')`;
  assertEquals(invitation?.status ?? "revoked", "revoked");
  const [pending] = await db.sql`
    select count(*)::integer as n from public.project_invitations
    where project_id = ${project.id} and email = ${project.viewer.email} and status = 'pending'`;
  assertEquals(pending?.n, 0);
});

Deno.test("with the account of who holds a project, too, its invitations to that address end", async () => {
  const project = await createProject(db);
  const token_sha256 = await invite(project, project.owner.email);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  await db
    .sql`update public.project_invitations set invited_by = ${project.editor.id} where project_id = ${project.id}`;
  await db.sql`delete from auth.users where id = ${project.owner.id}`;
  const heir = await createUser(db, { email: project.owner.email });
  assertEquals(await accepted(heir, token_sha256), "invitation_not_pending");
});
