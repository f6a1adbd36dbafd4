// POST /invite-collaborator over HTTP: an invitation goes out by mail, and the answer gives nothing away.
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { inviteCollaborator } from "../../shared/contract/invite-collaborator.ts";
import { assertAnswer, assertRefused, call, type Sender } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { mailTo, tokenFor } from "./mailbox.ts";
import { anotherProject, type Project } from "./project.ts";

const team = testAccess({
  path: "invite-collaborator",
  operation: inviteCollaborator,
  body: (project) => Promise.resolve({ project_id: project.id, email: address(), role: "viewer" }),
  stranger: "project_not_found",
  editor: "forbidden",
});

const fresh = async () => await anotherProject(await team());
const address = () => `guest-${crypto.randomUUID()}@example.com`;
const invite = (sender: Sender, project: Project, email: string, role = "editor") =>
  call(sender, "invite-collaborator", { project_id: project.id, email, role });

Deno.test("invite_collaborator: the answer is 201 with the pending invitation, good for seven days", async () => {
  const project = await fresh();
  const email = address();
  const { invitation } = assertAnswer(await invite(project.owner, project, email), inviteCollaborator, 201);
  assertEquals([invitation.email, invitation.role, invitation.status], [email, "editor", "pending"]);
  assertEquals([invitation.project_id, invitation.invited_by], [project.id, project.owner.id]);
  const days = (Date.parse(invitation.expires_at) - Date.now()) / 86_400_000;
  assert(days > 6.9 && days < 7.1, `Expected seven days: got ${days}`);
});

Deno.test("invite_collaborator: the mail holds the link with the token, in text and in HTML", async () => {
  const project = await fresh();
  const email = address();
  await invite(project.owner, project, email);
  const [mail, ...more] = await mailTo(email);
  assertEquals(more, []);
  assertEquals(mail?.subject, "You are invited to A project");
  const token = await tokenFor(email);
  assertMatch(token, /^[0-9a-f]{64}$/);
  for (const body of [mail?.text ?? "", mail?.html ?? ""]) {
    assertStringIncludes(body, `/invitations/accept?token=${token}`);
    assertStringIncludes(body, "A project");
    assertStringIncludes(body, "editor");
  }
});

Deno.test("invite_collaborator: neither the answer nor any table a client reads holds the token or its hash", async () => {
  const project = await fresh();
  const email = address();
  const reply = await invite(project.owner, project, email);
  const token = await tokenFor(email);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))).toHex();
  const { data } = await project.owner.client.from("project_invitations").select("*").eq("project_id", project.id);
  assertEquals(data?.length, 1);
  const seen = JSON.stringify([reply.body, [...reply.headers], data]);
  assert(!seen.includes(token) && !seen.includes(hash), "The token can be read");
});

Deno.test("invite_collaborator: a known and an unknown address, a member and the owner get the same answer", async () => {
  const project = await fresh();
  const addresses = [address(), project.stranger.email, project.viewer.email, project.owner.email];
  const answers = [];
  for (const email of addresses) {
    const { status, headers, body } = await invite(project.owner, project, email);
    const { invitation } = body;
    const anonymous = { ...invitation, id: "", email: "", expires_at: "", created_at: "" };
    answers.push({ status, names: [...headers.keys()].sort(), keys: Object.keys(invitation), anonymous });
    assertEquals(invitation.email, email);
  }
  for (const answer of answers) assertEquals(answer, answers[0]);
});

Deno.test("invite_collaborator: inviting again replaces: one is pending, with another token", async () => {
  const project = await fresh();
  const email = address();
  await invite(project.owner, project, email, "viewer");
  const first = await tokenFor(email);
  await invite(project.owner, project, email, "editor");
  assertNotEquals(await tokenFor(email), first);
  const { data } = await project.owner.client.from("project_invitations").select("status, role")
    .eq("project_id", project.id).order("created_at");
  assertEquals(data, [{ status: "revoked", role: "viewer" }, { status: "pending", role: "editor" }]);
});

Deno.test("invite_collaborator: five invitations of one address at once leave one pending", async () => {
  const project = await fresh();
  const email = address();
  const replies = await Promise.all(Array.from({ length: 5 }, () => invite(project.owner, project, email)));
  assertEquals(replies.map(({ status }) => status), Array(5).fill(201));
  const { data } = await project.owner.client.from("project_invitations").select("status")
    .eq("project_id", project.id).eq("status", "pending");
  assertEquals(data?.length, 1);
});

Deno.test("invite_collaborator: an address is one address however it is written", async () => {
  const project = await fresh();
  const email = address();
  await invite(project.owner, project, email);
  const { invitation } = assertAnswer(
    await invite(project.owner, project, email.toUpperCase()),
    inviteCollaborator,
    201,
  );
  assertEquals(invitation.email, email);
});

Deno.test("invite_collaborator: an address may end in a name that its country writes in its own letters", async () => {
  const project = await fresh();
  const email = `${crypto.randomUUID()}@xn--80ak6aa92e.xn--p1ai`;
  assertEquals((await invite(project.owner, project, email)).body.invitation?.email, email);
});

Deno.test("invite_collaborator: a project's name can put neither markup nor a header into the mail", async () => {
  const project = await fresh();
  const name = '<img src=x onerror="alert(1)">\r\nBcc: all@example.com';
  const { error } = await project.owner.client.from("projects").update({ name }).eq("id", project.id);
  assertEquals(error, null);
  const email = address();
  assertEquals((await invite(project.owner, project, email)).status, 201);
  const [mail] = await mailTo(email);
  assert(!mail?.html.includes("<img"), mail?.html);
  assert(!/[\r\n]/.test(mail?.subject ?? "\n"), mail?.subject);
});

Deno.test("invite_collaborator: no address in a project's name is one in the mail, whose one link is ours", async () => {
  const project = await fresh();
  const name = "Sign in: https://a.example/in, a.example or x@a.example";
  assertEquals((await project.owner.client.from("projects").update({ name }).eq("id", project.id)).error, null);
  const email = address();
  await invite(project.owner, project, email);
  const [mail] = await mailTo(email);
  for (const text of [mail?.subject, mail?.text, mail?.html]) {
    assertEquals(text?.match(/\w+:\/\/|\w+\.example|\w+@\w+/g)?.length ?? 0, text === mail?.subject ? 0 : 1);
    assertStringIncludes(text?.replaceAll("\u200B", "") ?? "", name);
  }
});

Deno.test("invite_collaborator: a project's name turns nothing in the mail around, and steers no terminal", async () => {
  const project = await fresh();
  const { error } = await project.owner.client.from("projects").update({ name: "\u202EPlans\u2067 \u001b[2J\u0085 b" })
    .eq("id", project.id);
  assertEquals(error, null);
  const email = address();
  await invite(project.owner, project, email);
  const [mail] = await mailTo(email);
  assertEquals(mail?.subject, "You are invited to Plans [2J b");
  assertStringIncludes(mail?.text ?? "", "on Plans [2J b as editor.");
});

Deno.test("invite_collaborator: the fifty-first invitation of an hour is too_many_invitations, for this project only", async () => {
  const [project, other] = [await fresh(), await fresh()];
  for (let sent = 0; sent < 50; sent += 10) {
    const replies = await Promise.all(Array.from({ length: 10 }, () => invite(project.owner, project, address())));
    assertEquals(replies.map(({ status }) => status), Array(10).fill(201));
  }
  const reply = await invite(project.owner, project, address());
  assertRefused(reply, "too_many_invitations");
  const seconds = reply.body.error.details.retry_after_seconds;
  assert(seconds > 0 && seconds <= 3600, String(seconds));
  assertEquals(reply.headers.get("retry-after"), String(seconds));
  assertEquals((await invite(other.owner, other, address())).status, 201);
});

for (
  const email of [
    "",
    "nobody",
    "a@b@c.example",
    "a b@example.com",
    "a@example.com\nBcc: b@example.com",
    `${"a".repeat(320)}@example.com`,
  ]
) {
  Deno.test(`invite_collaborator: ${JSON.stringify(email.slice(0, 24))} is no address`, async () => {
    const { owner, id } = await team();
    const reply = await call(owner, "invite-collaborator", { project_id: id, email, role: "viewer" });
    assertRefused(reply, "validation_failed");
    assertEquals(
      new Set(reply.body.error.details.fields.map(({ path }: { path: string }) => path)),
      new Set(["email"]),
    );
  });
}

Deno.test("invite_collaborator: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, "invite-collaborator", { project_id: 7, role: "admin" });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), [
    "project_id",
    "email",
    "role",
  ]);
});

Deno.test("invite_collaborator: an unknown project is project_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    const body = { project_id: crypto.randomUUID(), email: address(), role: "viewer" };
    assertRefused(await call(sender, "invite-collaborator", body), "project_not_found");
  }
});
