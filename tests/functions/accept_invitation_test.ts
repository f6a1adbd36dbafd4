// POST /invite-collaborator/accept over HTTP: the token opens the project for the invited, verified address, once.
import { assertEquals } from "@std/assert";
import { acceptInvitation } from "../../shared/contract/invite-collaborator.ts";
import { type Person, signUp } from "../support/actors.ts";
import { assertAnswer, assertRefused, call, type Sender } from "../support/http.ts";
import { testCredentials } from "./access.ts";
import { sql } from "./behind.ts";
import { tokenFor } from "./mailbox.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";

let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const fresh = async () => await anotherProject(await team());
const accept = (sender: Sender, token: string) => call(sender, "invite-collaborator/accept", { token });

/** Invites someone into a project of its own and takes the token from the mail. */
async function invited(person: Person, role = "editor") {
  const project = await fresh();
  const { body } = await call(project.owner, "invite-collaborator", {
    project_id: project.id,
    email: person.email,
    role,
  });
  return { project, token: await tokenFor(person.email), id: String(body.invitation.id) };
}

const isMember = async (person: Person, project: Project) => {
  const { data } = await person.client.from("projects").select("id").eq("id", project.id);
  return data?.length === 1;
};

testCredentials(acceptInvitation, "invite-collaborator/accept", team);

Deno.test("accept_invitation: the invited person becomes a collaborator, with the role that was offered", async () => {
  const guest = await signUp("guest");
  const { project, token } = await invited(guest, "viewer");
  assertEquals(await isMember(guest, project), false);
  const { collaborator, project: joined } = assertAnswer(await accept(guest, token), acceptInvitation, 200);
  assertEquals([collaborator.user_id, collaborator.project_id, collaborator.role], [guest.id, project.id, "viewer"]);
  assertEquals([joined.id, joined.name, joined.status], [project.id, "A project", "active"]);
  assertEquals(await isMember(guest, project), true);
});

Deno.test("accept_invitation: someone who signs up after the invitation can accept it", async () => {
  const { owner, id } = await fresh();
  const email = `late-${crypto.randomUUID()}@example.com`;
  await call(owner, "invite-collaborator", { project_id: id, email, role: "editor" });
  const token = await tokenFor(email);
  const guest = await signUp("late", email);
  assertEquals((await accept(guest, token)).status, 200);
});

Deno.test("accept_invitation: an editor by invitation can save, and cannot invite", async () => {
  const guest = await signUp("guest");
  const { project, token } = await invited(guest, "editor");
  await accept(guest, token);
  const saved = await call(guest, "save-artifact", { project_id: project.id, file_path: "a", content: "a" });
  assertEquals(saved.status, 201);
  const invitation = { project_id: project.id, email: "x@example.com", role: "viewer" };
  assertRefused(await call(guest, "invite-collaborator", invitation), "forbidden");
});

Deno.test("accept_invitation: a worker cannot accept for anyone", async () => {
  const guest = await signUp("guest");
  const { token } = await invited(guest);
  assertRefused(await accept("worker", token), "unauthorized");
});

Deno.test("accept_invitation: another signed-in person gets invitation_wrong_address and no membership", async () => {
  const { stranger } = await team();
  const { project, token } = await invited(await signUp("guest"));
  assertRefused(await accept(stranger, token), "invitation_wrong_address");
  assertEquals(await isMember(stranger, project), false);
});

Deno.test("accept_invitation: a used token is invitation_not_pending, and stays so after leaving", async () => {
  const guest = await signUp("guest");
  const { project, token } = await invited(guest);
  assertEquals((await accept(guest, token)).status, 200);
  assertRefused(await accept(guest, token), "invitation_not_pending");
  await guest.client.from("project_collaborators").delete().eq("project_id", project.id).eq("user_id", guest.id);
  assertRefused(await accept(guest, token), "invitation_not_pending");
  assertEquals(await isMember(guest, project), false);
});

Deno.test("accept_invitation: of five acceptances at once one counts", async () => {
  const guest = await signUp("guest");
  const { token } = await invited(guest);
  const replies = await Promise.all(Array.from({ length: 5 }, () => accept(guest, token)));
  assertEquals(replies.map(({ status }) => status).sort(), [200, 409, 409, 409, 409]);
});

Deno.test("accept_invitation: a token replaced by a newer invitation is invitation_not_pending", async () => {
  const guest = await signUp("guest");
  const { project, token } = await invited(guest);
  await call(project.owner, "invite-collaborator", { project_id: project.id, email: guest.email, role: "viewer" });
  assertRefused(await accept(guest, token), "invitation_not_pending");
  const { collaborator } = assertAnswer(await accept(guest, await tokenFor(guest.email)), acceptInvitation, 200);
  assertEquals(collaborator.role, "viewer");
});

Deno.test("accept_invitation: after its seven days a token is invitation_expired", async () => {
  const guest = await signUp("guest");
  const { project, token, id } = await invited(guest);
  await sql()`update public.project_invitations set expires_at = now() - interval '1 second' where id = ${id}`;
  assertRefused(await accept(guest, token), "invitation_expired");
  assertEquals(await isMember(guest, project), false);
});

Deno.test("accept_invitation: an unconfirmed address is email_not_verified, until it is confirmed", async () => {
  const guest = await signUp("guest");
  const { token } = await invited(guest);
  await sql()`update auth.users set email_confirmed_at = null where id = ${guest.id}`;
  assertRefused(await accept(guest, token), "email_not_verified");
  await sql()`update auth.users set email_confirmed_at = now() where id = ${guest.id}`;
  assertEquals((await accept(guest, token)).status, 200);
});

Deno.test("accept_invitation: the owner and a collaborator are already_a_member, and keep their role", async () => {
  const project = await fresh();
  for (const person of [project.owner, project.viewer]) {
    await call(project.owner, "invite-collaborator", { project_id: project.id, email: person.email, role: "editor" });
    assertRefused(await accept(person, await tokenFor(person.email)), "already_a_member");
  }
  const { data } = await project.owner.client.from("project_collaborators").select("role")
    .eq("project_id", project.id).eq("user_id", project.viewer.id).single();
  assertEquals(data?.role, "viewer");
});

for (const status of ["archived", "deleted"] as const) {
  Deno.test(`accept_invitation: an invitation into a project since ${status} is project_not_active`, async () => {
    const guest = await signUp("guest");
    const { project, token } = await invited(guest);
    await setStatus(project, status);
    assertRefused(await accept(guest, token), "project_not_active");
  });
}

Deno.test("accept_invitation: a token that never was, or is another's hash, is invitation_not_found", async () => {
  const guest = await signUp("guest");
  const { token } = await invited(guest);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))).toHex();
  for (const wrong of ["0".repeat(64), hash, token.toUpperCase(), `${token} `, "' or true; -- ' or true"]) {
    assertRefused(await accept(guest, wrong), "invitation_not_found");
  }
});

Deno.test("accept_invitation: wrong fields are named", async () => {
  const { stranger } = await team();
  for (const body of [{}, { token: 1 }, { token: "short" }, { token: "x".repeat(201) }]) {
    const reply = await call(stranger, "invite-collaborator/accept", body);
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), ["token"]);
  }
});
