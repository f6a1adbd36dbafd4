// POST /invite-collaborator/resend over HTTP: another mail with another token; the older link is dead.
import { assertEquals, assertNotEquals } from "@std/assert";
import { resendInvitation } from "../../shared/contract/invite-collaborator.ts";
import { signUp } from "../support/actors.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { mailTo, tokenFor } from "./mailbox.ts";
import { anotherProject, type Project } from "./project.ts";

async function invite(project: Project, email = `guest-${crypto.randomUUID()}@example.com`): Promise<string> {
  const { body } = await call(project.owner, "invite-collaborator", { project_id: project.id, email, role: "viewer" });
  return body.invitation.id;
}

const team = testAccess({
  path: "invite-collaborator/resend",
  operation: resendInvitation,
  body: async (project) => ({ invitation_id: await invite(project) }),
  stranger: "invitation_not_found",
  editor: "forbidden",
});

const resend = (project: Project, invitation_id: string) =>
  call(project.owner, "invite-collaborator/resend", { invitation_id });

Deno.test("resend_invitation: the newest mail's token opens the project, the older one nothing", async () => {
  const project = await anotherProject(await team());
  const guest = await signUp("guest");
  const id = await invite(project, guest.email);
  const first = await tokenFor(guest.email);
  const { invitation } = assertAnswer(await resend(project, id), resendInvitation, 200);
  assertEquals([invitation.id, invitation.status], [id, "pending"]);
  const second = await tokenFor(guest.email);
  assertNotEquals(second, first);
  assertEquals((await mailTo(guest.email)).length, 2);
  assertRefused(await call(guest, "invite-collaborator/accept", { token: first }), "invitation_not_found");
  assertEquals((await call(guest, "invite-collaborator/accept", { token: second })).status, 200);
  assertRefused(await resend(project, id), "invitation_not_pending");
});

Deno.test("resend_invitation: the answer holds no token", async () => {
  const project = await anotherProject(await team());
  const email = `guest-${crypto.randomUUID()}@example.com`;
  const reply = await resend(project, await invite(project, email));
  assertEquals(JSON.stringify([reply.body, [...reply.headers]]).includes(await tokenFor(email)), false);
});

Deno.test("resend_invitation: an id that is none is invitation_not_found, and one that cannot be is validation_failed", async () => {
  const project = await anotherProject(await team());
  assertRefused(await resend(project, crypto.randomUUID()), "invitation_not_found");
  assertRefused(await resend(project, "x"), "validation_failed");
});
