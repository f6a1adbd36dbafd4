// revoke_invitation: takes a way into the project back, in every state of the project. And an owner who goes takes the
// invitations they sent along.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createUser, invitationToken, type Person, type Project } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function invite(project: Project, sender: Person) {
  const person = await createUser(db);
  const token_sha256 = await invitationToken();
  const { invitation } = await db.rpc(sender.actor, "invite_collaborator", {
    project_id: project.id,
    email: person.email,
    role: "owner",
    token_sha256,
  });
  return { person, token_sha256, invitation_id: invitation.id as string };
}

/** A project whose editor is an owner too. */
async function coOwned() {
  const project = await createProject(db);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  return project;
}

const accept = (person: Person, token_sha256: string) =>
  db.refusal(person.actor, "accept_invitation", { token_sha256 });

for (const status of ["active", "archived", "deleted"]) {
  Deno.test(`a revoked invitation into an ${status} project opens nothing and stays in the list`, async () => {
    const project = await createProject(db);
    const { person, token_sha256, invitation_id } = await invite(project, project.owner);
    await db.sql`update public.projects set status = ${status} where id = ${project.id}`;
    const { invitation } = await db.rpc(project.owner.actor, "revoke_invitation", { invitation_id });
    assertEquals([invitation.id, invitation.status], [invitation_id, "revoked"]);
    assertEquals((await accept(person, token_sha256)).code, "invitation_not_pending");
    const { invitations } = await db.rpc(project.owner.actor, "list_invitations", { project_id: project.id });
    assertEquals(invitations.map(({ status }: { status: string }) => status), ["revoked"]);
  });
}

Deno.test("an invitation that was accepted or revoked before is invitation_not_pending", async () => {
  const project = await createProject(db);
  const { invitation_id } = await invite(project, project.owner);
  await db.rpc(project.owner.actor, "revoke_invitation", { invitation_id });
  const refusal = await db.refusal(project.owner.actor, "revoke_invitation", { invitation_id });
  assertEquals([refusal.code, refusal.sqlstate], ["invitation_not_pending", "PT409"]);
});

Deno.test("an editor and a viewer get forbidden, a stranger and the invited person invitation_not_found", async () => {
  const project = await createProject(db);
  const { person, invitation_id } = await invite(project, project.owner);
  for (const { actor } of [project.editor, project.viewer]) {
    assertEquals((await db.refusal(actor, "revoke_invitation", { invitation_id })).code, "forbidden");
  }
  const none = await db.refusal(project.stranger.actor, "revoke_invitation", { invitation_id: crypto.randomUUID() });
  for (const { actor } of [project.stranger, person]) {
    assertEquals(await db.refusal(actor, "revoke_invitation", { invitation_id }), none);
  }
});

const goings: [string, (project: Project) => Promise<unknown>][] = [
  [
    "is removed",
    (project) =>
      db.as(
        project.owner.actor,
        (tx) => tx`delete from public.project_collaborators where user_id = ${project.editor.id}`,
      ),
  ],
  [
    "is made an editor",
    (project) =>
      db.as(
        project.owner.actor,
        (tx) => tx`update public.project_collaborators set role = 'editor' where user_id = ${project.editor.id}`,
      ),
  ],
  [
    "leaves",
    (project) =>
      db.as(
        project.editor.actor,
        (tx) => tx`delete from public.project_collaborators where user_id = ${project.editor.id}`,
      ),
  ],
  ["deletes their account", (project) => db.sql`delete from auth.users where id = ${project.editor.id}`],
];
for (const [what, go] of goings) {
  Deno.test(`the invitations of a co-owner who ${what} end with it, those of others do not`, async () => {
    const project = await coOwned();
    const theirs = await invite(project, project.editor);
    const other = await invite(project, project.owner);
    await go(project);
    assertEquals((await accept(theirs.person, theirs.token_sha256)).code, "invitation_not_pending");
    await db.rpc(other.person.actor, "accept_invitation", { token_sha256: other.token_sha256 });
  });
}

Deno.test("whoever passes the project on stays an owner, and so do their invitations", async () => {
  const project = await coOwned();
  const [mine, theirs] = [await invite(project, project.owner), await invite(project, project.editor)];
  await db.rpc(project.owner.actor, "transfer_project", { project_id: project.id, user_id: project.editor.id });
  for (const { person, token_sha256 } of [mine, theirs]) {
    await db.rpc(person.actor, "accept_invitation", { token_sha256 });
  }
});

Deno.test("an invitation under way while its sender is removed does not outlive them", async () => {
  const project = await coOwned();
  const person = await createUser(db);
  const token_sha256 = await invitationToken();
  await using sender = await openTransaction(db, project.editor.actor);
  await using remover = await openTransaction(db, project.owner.actor);
  await sender.rpc("invite_collaborator", { project_id: project.id, email: person.email, role: "owner", token_sha256 });
  const removal = remover.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`
    .then(() => remover.commit());
  await waitUntilBlocked(db, remover, removal);
  await sender.commit();
  await removal;
  assertEquals((await accept(person, token_sha256)).code, "invitation_not_pending");
});
