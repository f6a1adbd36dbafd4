// GET /invite-collaborator?project_id over HTTP: the invitations of a project, for its owners.
import { assertEquals } from "@std/assert";
import { listInvitations } from "../../shared/contract/invite-collaborator.ts";
import { assertAnswer, assertRefused, call, type Sender } from "../support/http.ts";
import { testCredentials } from "./access.ts";
import { tokenFor } from "./mailbox.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";

let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const list = (sender: Sender, query: string) =>
  call(sender, `invite-collaborator?${query}`, undefined, { method: "GET" });

testCredentials(listInvitations, `invite-collaborator?project_id=${crypto.randomUUID()}`, team);

Deno.test("list_invitations: owner and worker get the newest first, in every state of the project, without a token", async () => {
  const project = await anotherProject(await team());
  const addresses = ["a", "b"].map((name) => `${name}-${crypto.randomUUID()}@example.com`);
  for (const email of addresses) {
    await call(project.owner, "invite-collaborator", { project_id: project.id, email, role: "viewer" });
  }
  for (const status of ["active", "archived", "deleted"] as const) {
    await setStatus(project, status);
    for (const sender of [project.owner, "worker"] as const) {
      const reply = await list(sender, `project_id=${project.id}`);
      const { invitations } = assertAnswer(reply, listInvitations, 200);
      assertEquals(invitations.map(({ email }: { email: string }) => email), addresses.toReversed());
      for (const email of addresses) assertEquals(JSON.stringify(reply.body).includes(await tokenFor(email)), false);
    }
  }
});

Deno.test("list_invitations: members are forbidden, a stranger finds no project", async () => {
  const project = await anotherProject(await team());
  for (const person of [project.editor, project.viewer]) {
    assertRefused(await list(person, `project_id=${project.id}`), "forbidden");
  }
  assertRefused(await list(project.stranger, `project_id=${project.id}`), "project_not_found");
});

Deno.test("list_invitations: without a project, or with what is no id, it is validation_failed", async () => {
  const { owner } = await team();
  for (const query of ["", "project_id=", "project_id=x", "project_id=%00"]) {
    assertRefused(await list(owner, query), "validation_failed");
  }
});
