// invite_collaborator: an owner invites an address; the answer never tells whether it has an account.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createUser, invitationToken, type Project } from "../../support/factories.ts";

const db = await shareDatabase();

const invitation = async (project: Project, fields: Record<string, unknown> = {}) => ({
  project_id: project.id,
  email: "new@example.com",
  role: "editor",
  token_sha256: await invitationToken(),
  ...fields,
});

Deno.test("an owner's invitation is pending for seven days and holds no token", async () => {
  const project = await createProject(db);
  const request = await invitation(project);
  const answer = await db.rpc(project.owner.actor, "invite_collaborator", request);
  const { status, role, email, invited_by, expires_at, created_at } = answer.invitation;
  assertEquals([status, role, email, invited_by], ["pending", "editor", "new@example.com", project.owner.id]);
  assertEquals(Date.parse(expires_at) - Date.parse(created_at), 7 * 86_400_000);
  assertEquals(answer.project, { id: project.id, name: "A project" });
  assert(!JSON.stringify(answer).includes(request.token_sha256));
});

Deno.test("the address is kept in lower case and without spaces around it", async () => {
  const project = await createProject(db);
  const request = await invitation(project, { email: "  New@Example.COM " });
  assertEquals((await db.rpc(project.owner.actor, "invite_collaborator", request)).invitation.email, "new@example.com");
});

Deno.test("inviting again revokes the older invitation of that address", async () => {
  const project = await createProject(db);
  const first = await db.rpc(project.owner.actor, "invite_collaborator", await invitation(project));
  const second = await db.rpc(
    project.owner.actor,
    "invite_collaborator",
    await invitation(project, { role: "viewer" }),
  );
  assertNotEquals(first.invitation.id, second.invitation.id);
  const rows = await db.sql`
    select id, status from public.project_invitations where project_id = ${project.id} order by created_at, status desc`;
  assertEquals(rows.map((row) => [row.id, row.status]), [[first.invitation.id, "revoked"], [
    second.invitation.id,
    "pending",
  ]]);
});

Deno.test("the answer is of the same shape for a stranger, a member and an address nobody has", async () => {
  const project = await createProject(db);
  const shapes = [];
  for (const email of [project.stranger.email, project.viewer.email, "nobody@example.com"]) {
    const answer = await db.rpc(project.owner.actor, "invite_collaborator", await invitation(project, { email }));
    shapes.push([Object.keys(answer), Object.keys(answer.invitation), answer.invitation.status]);
  }
  assertEquals(shapes[0], shapes[1]);
  assertEquals(shapes[0], shapes[2]);
});

const bad: [string, Record<string, unknown>][] = [
  ["an unknown role", { role: "admin" }],
  ["no role", { role: null }],
  ["no address", { email: null }],
  ["an address without @", { email: "new.example.com" }],
  ["two addresses", { email: "a@example.com b@example.com" }],
  ["an address with a line break", { email: "a@example.com\nbcc: b@example.com" }],
  ["an address of 321 characters", { email: `${"x".repeat(309)}@example.com` }],
  ["no token", { token_sha256: null }],
  ["a token that is no hash", { token_sha256: "secret" }],
  ["a hash in capitals", { token_sha256: "A".repeat(64) }],
];
for (const [what, fields] of bad) {
  Deno.test(`${what} is validation_failed`, async () => {
    const project = await createProject(db);
    const refusal = await db.refusal(project.owner.actor, "invite_collaborator", await invitation(project, fields));
    assertEquals([refusal.code, refusal.sqlstate], ["validation_failed", "PT422"]);
  });
}

Deno.test("a hash that was used before is validation_failed", async () => {
  const project = await createProject(db);
  const request = await invitation(project);
  await db.rpc(project.owner.actor, "invite_collaborator", request);
  const refusal = await db.refusal(project.owner.actor, "invite_collaborator", {
    ...request,
    email: "other@example.com",
  });
  assertEquals(refusal.code, "validation_failed");
});

Deno.test("an editor, a viewer and an admin get forbidden", async () => {
  const project = await createProject(db);
  for (const person of [project.editor, project.viewer, await createAdmin(db)]) {
    const refusal = await db.refusal(person.actor, "invite_collaborator", await invitation(project));
    assertEquals(refusal.code, "forbidden");
  }
});

Deno.test("a stranger cannot tell a project from one that does not exist", async () => {
  const project = await createProject(db);
  const request = await invitation(project);
  const real = await db.refusal(project.stranger.actor, "invite_collaborator", request);
  const none = await db.refusal(project.stranger.actor, "invite_collaborator", {
    ...request,
    project_id: crypto.randomUUID(),
  });
  assertEquals(real.code, "project_not_found");
  assertEquals(real, none);
});

Deno.test("a collaborator with the role owner may invite", async () => {
  const project = await createProject(db);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  const answer = await db.rpc(project.editor.actor, "invite_collaborator", await invitation(project));
  assertEquals(answer.invitation.invited_by, project.editor.id);
});

Deno.test("an archived project invites nobody", async () => {
  const project = await createProject(db);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  const refusal = await db.refusal(project.owner.actor, "invite_collaborator", await invitation(project));
  assertEquals(refusal.code, "project_not_active");
});

/** Mails that went out before, as the count has them. */
const mailed = (projectId: string, sentBy: string, number: number, ago: string) =>
  db.sql`
    insert into private.invitation_mails (project_id, sent_by, sent_at)
    select ${projectId}, ${sentBy}, now() - ${ago}::interval from generate_series(1, ${number})`;

Deno.test("the 51st invitation of a project within an hour is too_many_invitations, and says when to try again", async () => {
  const project = await createProject(db);
  await mailed(project.id, project.editor.id, 49, "10 minutes");
  await db.rpc(project.owner.actor, "invite_collaborator", await invitation(project));
  const request = await invitation(project, { email: "x@example.com" });
  const refusal = await db.refusal(project.owner.actor, "invite_collaborator", request);
  assertEquals([refusal.code, refusal.sqlstate, refusal.details.retry_after_seconds], [
    "too_many_invitations",
    "PT429",
    3000,
  ]);
});

Deno.test("an invitation that was withdrawn counts all the same: it was mailed", async () => {
  const project = await createProject(db);
  await mailed(project.id, project.editor.id, 49, "10 minutes");
  const { invitation: { id } } = await db.rpc(project.owner.actor, "invite_collaborator", await invitation(project));
  await db.rpc(project.owner.actor, "withdraw_invitation", { invitation_id: id });
  const refusal = await db.refusal(project.owner.actor, "invite_collaborator", await invitation(project));
  assertEquals(refusal.code, "too_many_invitations");
});

Deno.test("a person sends 200 invitations an hour, from however many projects", async () => {
  const project = await createProject(db);
  for (let part = 0; part < 5; part++) await mailed(crypto.randomUUID(), project.owner.id, 40, "30 minutes");
  const refusal = await db.refusal(project.owner.actor, "invite_collaborator", await invitation(project));
  assertEquals([refusal.code, refusal.details.retry_after_seconds], ["too_many_invitations", 1800]);
  await db.rpc("worker", "invite_collaborator", await invitation(project));
});

Deno.test("invitations older than an hour do not count against the limit, and are forgotten", async () => {
  const project = await createProject(db);
  await mailed(project.id, project.owner.id, 60, "61 minutes");
  const answer = await db.rpc(project.owner.actor, "invite_collaborator", await invitation(project));
  assertEquals(answer.invitation.status, "pending");
  assertEquals((await db.sql`select from private.invitation_mails where project_id = ${project.id}`).length, 1);
});

Deno.test("someone without an account may not call it at all", async () => {
  const project = await createProject(db);
  assertEquals((await db.refusal("anon", "invite_collaborator", await invitation(project))).sqlstate, "42501");
});

Deno.test("nobody can read a token's hash, not even a worker", async () => {
  const person = await createUser(db);
  for (const actor of [person.actor, "worker", "anon"] as const) {
    const read = db.as(actor, (tx) => tx`select * from private.invitation_tokens`);
    assertEquals((await refused(read)).sqlstate, "42501");
  }
});

Deno.test("what a mail would read as more than one address, or as another, is refused", async () => {
  const project = await createProject(db);
  const hostile = [
    "a,b@example.com",
    "x<somebody@example.com>",
    "group:a@example.com;",
    '"a"@example.com',
    "a@[127.0.0.1]",
  ]
    .concat(
      "a(b)@example.com",
      "a\u0001@example.com",
      "a\u202e@example.com",
      "a\u200b@example.com",
      "a\\b@example.com",
    );
  for (const email of hostile) {
    const request = await invitation(project, { email });
    const { code, details } = await db.refusal(project.owner.actor, "invite_collaborator", request);
    assertEquals([email, code, (details.fields as { path: string }[])[0]?.path], [email, "validation_failed", "email"]);
  }
});

Deno.test("addresses that are only unusual are taken", async () => {
  const project = await createProject(db);
  for (
    const email of ["o'neil+tag@sub.example.com", "user!name@localhost", "grüße@exämple.example", "a_b=c@example.com"]
  ) {
    const answer = await db.rpc(project.owner.actor, "invite_collaborator", await invitation(project, { email }));
    assertEquals(answer.invitation.email, email);
  }
});
