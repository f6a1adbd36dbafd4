// withdraw_invitation: takes back an invitation whose mail could not be sent, as if it had never been.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createUser, invitationToken } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function invited() {
  const project = await createProject(db);
  const person = await createUser(db);
  const token_sha256 = await invitationToken();
  const { invitation } = await db.rpc(project.owner.actor, "invite_collaborator", {
    project_id: project.id,
    email: person.email,
    role: "editor",
    token_sha256,
  });
  return { project, person, token_sha256, invitation_id: invitation.id as string };
}

Deno.test("a withdrawn invitation is gone, and its token opens nothing", async () => {
  const { project, person, token_sha256, invitation_id } = await invited();
  assertEquals(await db.rpc(project.owner.actor, "withdraw_invitation", { invitation_id }), { withdrawn: true });
  assertEquals((await db.refusal(person.actor, "accept_invitation", { token_sha256 })).code, "invitation_not_found");
});

Deno.test("an invitation that was sent again since is not withdrawn with the token from before", async () => {
  const { project, person, token_sha256, invitation_id } = await invited();
  const newer = await invitationToken();
  await db.rpc(project.owner.actor, "resend_invitation", { invitation_id, token_sha256: newer });
  const withdrawal = { invitation_id, token_sha256 };
  assertEquals(await db.rpc(project.owner.actor, "withdraw_invitation", withdrawal), { withdrawn: false });
  await db.rpc(person.actor, "accept_invitation", { token_sha256: newer });
});

Deno.test("who withdraws while an invitation is being sent again waits, and finds the newer token", async () => {
  const { project, token_sha256, invitation_id } = await invited();
  await using first = await openTransaction(db, project.owner.actor);
  await using second = await openTransaction(db, project.owner.actor);
  await first.rpc("resend_invitation", { invitation_id, token_sha256: await invitationToken() });
  const pending = second.rpc("withdraw_invitation", { invitation_id, token_sha256 });
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals(await pending, { withdrawn: false });
});

Deno.test("an accepted invitation stays, and so does the collaborator", async () => {
  const { project, person, token_sha256, invitation_id } = await invited();
  await db.rpc(person.actor, "accept_invitation", { token_sha256 });
  assertEquals(await db.rpc(project.owner.actor, "withdraw_invitation", { invitation_id }), { withdrawn: false });
  const rows = await db.sql`select from public.project_collaborators where user_id = ${person.id}`;
  assertEquals(rows.length, 1);
});

Deno.test("a worker may withdraw", async () => {
  const { invitation_id } = await invited();
  assertEquals(await db.rpc("worker", "withdraw_invitation", { invitation_id }), { withdrawn: true });
});

for (const who of ["editor", "viewer"] as const) {
  Deno.test(`the ${who} gets forbidden`, async () => {
    const { project, invitation_id } = await invited();
    assertEquals((await db.refusal(project[who].actor, "withdraw_invitation", { invitation_id })).code, "forbidden");
  });
}

Deno.test("a stranger cannot tell an invitation from one that does not exist: invitation_not_found", async () => {
  const { project, person, invitation_id } = await invited();
  const none = await db.refusal(project.stranger.actor, "withdraw_invitation", { invitation_id: crypto.randomUUID() });
  assertEquals([none.code, none.sqlstate], ["invitation_not_found", "PT404"]);
  for (const outsider of [project.stranger, person]) {
    assertEquals(await db.refusal(outsider.actor, "withdraw_invitation", { invitation_id }), none);
  }
});

Deno.test("someone without an account may not call it at all", async () => {
  const { invitation_id } = await invited();
  assertEquals((await db.refusal("anon", "withdraw_invitation", { invitation_id })).sqlstate, "42501");
});

Deno.test("whoever withdraws while the project is being deleted waits for that, and holds nothing it needs", async () => {
  const { project, invitation_id } = await invited();
  await using first = await openTransaction(db, project.owner.actor);
  await using second = await openTransaction(db, "worker");
  await first.sql`select from public.projects where id = ${project.id} for update`;
  const pending = second.rpc("withdraw_invitation", { invitation_id }).catch((error) => error.hint);
  await waitUntilBlocked(db, second, pending);
  await first.sql`delete from public.projects where id = ${project.id}`;
  await first.commit();
  assertEquals(await pending, "invitation_not_found");
});
