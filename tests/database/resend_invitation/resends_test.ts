// resend_invitation: a new token and seven new days for an invitation that is still out; the older link is dead.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createUser, invitationToken } from "../../support/factories.ts";

const db = await shareDatabase();

async function invited() {
  const project = await createProject(db);
  const person = await createUser(db);
  const first = await invitationToken();
  const { invitation } = await db.rpc(project.owner.actor, "invite_collaborator", {
    project_id: project.id,
    email: person.email,
    role: "editor",
    token_sha256: first,
  });
  return { project, person, first, invitation };
}
const again = async (invitation_id: string) => ({ invitation_id, token_sha256: await invitationToken() });

Deno.test("the older token opens nothing any more, and the newer one does", async () => {
  const { project, person, first, invitation } = await invited();
  const request = await again(invitation.id);
  await db.rpc(project.owner.actor, "resend_invitation", request);
  assertEquals(
    (await db.refusal(person.actor, "accept_invitation", { token_sha256: first })).code,
    "invitation_not_found",
  );
  const { collaborator } = await db.rpc(person.actor, "accept_invitation", { token_sha256: request.token_sha256 });
  assertEquals([collaborator.user_id, collaborator.role], [person.id, "editor"]);
});

Deno.test("the seven days begin anew, for an invitation that had expired as well", async () => {
  const { project, person, invitation } = await invited();
  await db.sql`update public.project_invitations set expires_at = now() - interval '1 day' where id = ${invitation.id}`;
  const request = await again(invitation.id);
  const answer = await db.rpc(project.owner.actor, "resend_invitation", request);
  assert(Date.parse(answer.invitation.expires_at) > Date.now() + 6.9 * 86_400_000);
  assertEquals(
    (await db.rpc(person.actor, "accept_invitation", { token_sha256: request.token_sha256 })).project.id,
    project.id,
  );
});

Deno.test("the answer is that of an invitation, with the project's name for the mail", async () => {
  const { project, invitation } = await invited();
  const answer = await db.rpc(project.owner.actor, "resend_invitation", await again(invitation.id));
  assertEquals(answer.project, { id: project.id, name: "A project" });
  assertEquals({ ...answer.invitation, expires_at: "" }, { ...invitation, expires_at: "" });
});

Deno.test("an accepted and a revoked invitation are invitation_not_pending", async () => {
  const { project, person, first, invitation } = await invited();
  await db.rpc(person.actor, "accept_invitation", { token_sha256: first });
  const other = await invited();
  await db.rpc(other.project.owner.actor, "revoke_invitation", { invitation_id: other.invitation.id });
  for (const [owner, id] of [[project.owner, invitation.id], [other.project.owner, other.invitation.id]] as const) {
    assertEquals(
      (await db.refusal(owner.actor, "resend_invitation", await again(id))).code,
      "invitation_not_pending",
    );
  }
});

Deno.test("a re-send counts against the limit of its project", async () => {
  const { project, invitation } = await invited();
  await db.sql`insert into private.invitation_mails (project_id) select ${project.id} from generate_series(1, 49)`;
  const refusal = await db.refusal(project.owner.actor, "resend_invitation", await again(invitation.id));
  assertEquals(refusal.code, "too_many_invitations");
});

Deno.test("a token that was used before is validation_failed", async () => {
  const { project, first, invitation } = await invited();
  const refusal = await db.refusal(project.owner.actor, "resend_invitation", {
    invitation_id: invitation.id,
    token_sha256: first,
  });
  assertEquals(refusal.code, "validation_failed");
});

Deno.test("an editor, a viewer and an admin get forbidden, a stranger and the invited person invitation_not_found", async () => {
  const { project, person, invitation } = await invited();
  const request = await again(invitation.id);
  for (const { actor } of [project.editor, project.viewer, await createAdmin(db)]) {
    assertEquals((await db.refusal(actor, "resend_invitation", request)).code, "forbidden");
  }
  const none = await db.refusal(project.stranger.actor, "resend_invitation", await again(crypto.randomUUID()));
  for (const { actor } of [project.stranger, person]) {
    assertEquals(await db.refusal(actor, "resend_invitation", request), none);
  }
  assertEquals((await db.refusal("anon", "resend_invitation", request)).sqlstate, "42501");
});

Deno.test("nothing is sent from an archived project", async () => {
  const { project, invitation } = await invited();
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals(
    (await db.refusal(project.owner.actor, "resend_invitation", await again(invitation.id))).code,
    "project_not_active",
  );
});
