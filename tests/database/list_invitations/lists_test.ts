// list_invitations: what is out, for those who may call it back; never a token.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, invitationToken } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);
const other = await createProject(db);
const tokens: string[] = [];
for (
  const [project_id, email, owner] of [
    [project.id, "first@example.com", project.owner],
    [project.id, "second@example.com", project.owner],
    [other.id, "third@example.com", other.owner],
  ] as const
) {
  tokens.push(await invitationToken());
  await db.rpc(owner.actor, "invite_collaborator", { project_id, email, role: "viewer", token_sha256: tokens.at(-1) });
}

for (
  const [who, actor] of [
    ["the owner", project.owner.actor],
    ["an admin", (await createAdmin(db)).actor],
    ["a worker", "worker"],
  ] as const
) {
  Deno.test(`${who} reads the invitations of that project, newest first, without their tokens`, async () => {
    const answer = await db.rpc(actor, "list_invitations", { project_id: project.id });
    assertEquals(answer.invitations.map(({ email }: { email: string }) => email), [
      "second@example.com",
      "first@example.com",
    ]);
    assert(tokens.every((token) => !JSON.stringify(answer).includes(token)));
  });
}

Deno.test("an editor and a viewer get forbidden, a stranger cannot tell the project from none", async () => {
  for (const { actor } of [project.editor, project.viewer]) {
    assertEquals((await db.refusal(actor, "list_invitations", { project_id: project.id })).code, "forbidden");
  }
  const real = await db.refusal(project.stranger.actor, "list_invitations", { project_id: project.id });
  const none = await db.refusal(project.stranger.actor, "list_invitations", { project_id: crypto.randomUUID() });
  assertEquals(real.code, "project_not_found");
  assertEquals(real, none);
});
