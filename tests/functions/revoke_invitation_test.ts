// DELETE /invite-collaborator/:invitation_id over HTTP: the link stops working at once.
import { assertEquals } from "@std/assert";
import { revokeInvitation } from "../../shared/contract/invite-collaborator.ts";
import { signUp } from "../support/actors.ts";
import { assertRefused, call, type Sender } from "../support/http.ts";
import { testCredentials } from "./access.ts";
import { tokenFor } from "./mailbox.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";

let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const revoke = (sender: Sender, id: string) =>
  call(sender, `invite-collaborator/${id}`, undefined, { method: "DELETE" });

async function invited() {
  const [project, guest] = [await anotherProject(await team()), await signUp("guest")];
  const { body } = await call(project.owner, "invite-collaborator", {
    project_id: project.id,
    email: guest.email,
    role: "viewer",
  });
  return { project, guest, id: String(body.invitation.id), token: await tokenFor(guest.email) };
}

testCredentials(revokeInvitation, `invite-collaborator/${crypto.randomUUID()}`, team);

for (const who of ["the owner", "a worker"] as const) {
  Deno.test(`revoke_invitation: ${who} gets 204 without a body, and the link opens nothing`, async () => {
    const { project, guest, id, token } = await invited();
    const reply = await revoke(who === "the owner" ? project.owner : "worker", id);
    assertEquals([reply.status, reply.body], [204, undefined]);
    assertRefused(await call(guest, "invite-collaborator/accept", { token }), "invitation_not_pending");
    assertRefused(await revoke(project.owner, id), "invitation_not_pending");
  });
}

Deno.test("revoke_invitation: it works in an archived project too", async () => {
  const { project, id } = await invited();
  await setStatus(project, "archived");
  assertEquals((await revoke(project.owner, id)).status, 204);
});

Deno.test("revoke_invitation: members are forbidden, a stranger and the guest find nothing, and the link still works", async () => {
  const { project, guest, id, token } = await invited();
  for (const person of [project.editor, project.viewer]) assertRefused(await revoke(person, id), "forbidden");
  for (const person of [project.stranger, guest]) assertRefused(await revoke(person, id), "invitation_not_found");
  assertEquals((await call(guest, "invite-collaborator/accept", { token })).status, 200);
});

Deno.test("revoke_invitation: what is no id is no route", async () => {
  const { owner } = await team();
  for (const id of ["1", "x", "null", "..%2f", "-".repeat(36)]) {
    assertRefused(await revoke(owner, id), "route_not_found");
  }
});
