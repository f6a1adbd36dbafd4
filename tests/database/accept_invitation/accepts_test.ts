// accept_invitation: it opens the project for the invited, verified address alone, once, while it lasts.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject, createUser, invitationToken, type Project } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A pending invitation of that address, by the token's hash. */
async function invite(project: Project, email: string, role = "editor") {
  const token_sha256 = await invitationToken();
  const { invitation } = await db.rpc(project.owner.actor, "invite_collaborator", {
    project_id: project.id,
    email,
    role,
    token_sha256,
  });
  return { token_sha256, id: invitation.id as string };
}

async function invited(role = "editor") {
  const project = await createProject(db);
  const person = await createUser(db);
  return { project, person, ...await invite(project, person.email, role) };
}

for (const role of ["viewer", "editor", "owner"]) {
  Deno.test(`who accepts an invitation as ${role} is ${role}`, async () => {
    const { project, person, token_sha256 } = await invited(role);
    const answer = await db.rpc(person.actor, "accept_invitation", { token_sha256 });
    assertEquals([answer.collaborator.user_id, answer.collaborator.role, answer.project.id], [
      person.id,
      role,
      project.id,
    ]);
    const rows = await db.as(person.actor, (tx) => tx`select id from public.projects`);
    assertEquals(rows.map((row) => row.id), [project.id]);
  });
}

Deno.test("an accepted invitation says when and by whom", async () => {
  const { person, token_sha256, id } = await invited();
  await db.rpc(person.actor, "accept_invitation", { token_sha256 });
  const [row] = await db
    .sql`select status, accepted_by, accepted_at is not null as has_time from public.project_invitations where id = ${id}`;
  assertEquals([row?.status, row?.accepted_by, row?.has_time], ["accepted", person.id, true]);
});

Deno.test("the case of the address does not matter", async () => {
  const project = await createProject(db);
  const person = await createUser(db, { email: `Mixed.Case-${project.id}@Example.com` });
  const { token_sha256 } = await invite(project, person.email.toUpperCase());
  assertEquals((await db.rpc(person.actor, "accept_invitation", { token_sha256 })).collaborator.user_id, person.id);
});

Deno.test("a token that was never given out is invitation_not_found", async () => {
  const person = await createUser(db);
  for (const token_sha256 of [await invitationToken(), "x", "", null]) {
    const refusal = await db.refusal(person.actor, "accept_invitation", { token_sha256 });
    assertEquals([refusal.code, refusal.sqlstate], ["invitation_not_found", "PT404"]);
  }
});

Deno.test("someone else with the token is invitation_wrong_address, and it stays open for whom it is for", async () => {
  const { project, person, token_sha256 } = await invited();
  const refusal = await db.refusal(project.stranger.actor, "accept_invitation", { token_sha256 });
  assertEquals([refusal.code, refusal.sqlstate], ["invitation_wrong_address", "PT403"]);
  assertEquals((await db.rpc(person.actor, "accept_invitation", { token_sha256 })).collaborator.user_id, person.id);
});

Deno.test("someone who signed up without an address is invitation_wrong_address", async () => {
  const { token_sha256 } = await invited();
  const id = crypto.randomUUID();
  await db.sql`insert into auth.users (id, email, email_confirmed_at) values (${id}, null, now())`;
  assertEquals(
    (await db.refusal({ user: id }, "accept_invitation", { token_sha256 })).code,
    "invitation_wrong_address",
  );
});

Deno.test("an address that was not confirmed is email_not_verified", async () => {
  const { person, token_sha256 } = await invited();
  await db.sql`update auth.users set email_confirmed_at = null where id = ${person.id}`;
  const refusal = await db.refusal(person.actor, "accept_invitation", { token_sha256 });
  assertEquals([refusal.code, refusal.sqlstate], ["email_not_verified", "PT403"]);
});

Deno.test("an address claimed in the profile or the token, but not in Auth, does not count", async () => {
  const { project, person, token_sha256 } = await invited();
  await using attempt = await openTransaction(db, project.stranger.actor);
  await attempt.sql`select set_config('request.jwt.claims', ${
    JSON.stringify({ role: "authenticated", sub: project.stranger.id, email: person.email })
  }, true)`;
  assertEquals((await refused(attempt.rpc("accept_invitation", { token_sha256 }))).code, "invitation_wrong_address");
});

Deno.test("a second acceptance is invitation_not_pending", async () => {
  const { person, token_sha256 } = await invited();
  await db.rpc(person.actor, "accept_invitation", { token_sha256 });
  const refusal = await db.refusal(person.actor, "accept_invitation", { token_sha256 });
  assertEquals([refusal.code, refusal.sqlstate], ["invitation_not_pending", "PT409"]);
});

Deno.test("someone who was removed cannot come back with the old invitation", async () => {
  const { person, token_sha256 } = await invited();
  await db.rpc(person.actor, "accept_invitation", { token_sha256 });
  await db.sql`delete from public.project_collaborators where user_id = ${person.id}`;
  assertEquals((await db.refusal(person.actor, "accept_invitation", { token_sha256 })).code, "invitation_not_pending");
});

Deno.test("two acceptances at once make one collaborator", async () => {
  const { person, token_sha256 } = await invited();
  await using first = await openTransaction(db, person.actor);
  await using second = await openTransaction(db, person.actor);
  await first.rpc("accept_invitation", { token_sha256 });
  const waiting = refused(second.rpc("accept_invitation", { token_sha256 }));
  await waitUntilBlocked(db, second);
  await first.commit();
  assertEquals((await waiting).code, "invitation_not_pending");
});

Deno.test("the link of an invitation that was replaced is invitation_not_pending, the newer one works", async () => {
  const { project, person, token_sha256 } = await invited("owner");
  const newer = await invite(project, person.email, "viewer");
  assertEquals((await db.refusal(person.actor, "accept_invitation", { token_sha256 })).code, "invitation_not_pending");
  const answer = await db.rpc(person.actor, "accept_invitation", { token_sha256: newer.token_sha256 });
  assertEquals(answer.collaborator.role, "viewer");
});

Deno.test("after seven days it is invitation_expired", async () => {
  const { person, token_sha256, id } = await invited();
  await db.sql`update public.project_invitations set expires_at = now() where id = ${id}`;
  const refusal = await db.refusal(person.actor, "accept_invitation", { token_sha256 });
  assertEquals([refusal.code, refusal.sqlstate], ["invitation_expired", "PT410"]);
});

for (const status of ["archived", "deleted"]) {
  Deno.test(`into a project that is ${status} nobody comes: project_not_active`, async () => {
    const { project, person, token_sha256 } = await invited();
    await db.sql`update public.projects set status = ${status} where id = ${project.id}`;
    assertEquals((await db.refusal(person.actor, "accept_invitation", { token_sha256 })).code, "project_not_active");
  });
}

for (const who of ["owner", "viewer"] as const) {
  Deno.test(`the ${who}, who is in already, is already_a_member and keeps the role`, async () => {
    const project = await createProject(db);
    const { token_sha256 } = await invite(project, project[who].email, "editor");
    const refusal = await db.refusal(project[who].actor, "accept_invitation", { token_sha256 });
    assertEquals([refusal.code, refusal.sqlstate], ["already_a_member", "PT409"]);
    const rows = await db.sql`
      select role from public.project_collaborators where project_id = ${project.id} and user_id = ${project[who].id}`;
    assertEquals(rows.map((row) => row.role), who === "viewer" ? ["viewer"] : []);
  });
}

Deno.test("a worker is no person who could accept: forbidden", async () => {
  const { token_sha256 } = await invited();
  assertEquals((await db.refusal("worker", "accept_invitation", { token_sha256 })).code, "forbidden");
});

Deno.test("someone without an account may not call it at all", async () => {
  const { token_sha256 } = await invited();
  assertEquals((await db.refusal("anon", "accept_invitation", { token_sha256 })).sqlstate, "42501");
});
