// accept_invitation: one person is a member of so many projects of others, as all they read asks about each of them.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createUser, invitationToken, type Person } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** Somebody who is a member of all the projects that one person may be a member of but one: of copies of memberships alone. */
async function withRoomForOne(status = "active"): Promise<Person> {
  const person = await createUser(db);
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`insert into private.collaborations (collaborator_id, user_id, project_id, role, project_status)
      select gen_random_uuid(), ${person.id}, gen_random_uuid(), 'viewer', ${status} from generate_series(1, 4999)`;
  });
  return person;
}

async function invite({ email }: Person): Promise<string> {
  const project = await createProject(db);
  const token_sha256 = await invitationToken();
  const invitation = { project_id: project.id, email, role: "viewer", token_sha256 };
  await db.rpc(project.owner.actor, "invite_collaborator", invitation);
  return token_sha256;
}

Deno.test("who is a member of five thousand projects accepts no further invitation, which stays pending", async () => {
  const person = await withRoomForOne();
  const [last, further] = [await invite(person), await invite(person)];
  await db.rpc(person.actor, "accept_invitation", { token_sha256: last });
  const refusal = await db.refusal(person.actor, "accept_invitation", { token_sha256: further });
  assertEquals(refusal.code, "too_many_projects");
  const rows = await db
    .sql`select status from public.project_invitations where email = ${person.email} order by status`;
  assertEquals(rows.map(({ status }) => status), ["accepted", "pending"]);
});

Deno.test("of two last invitations that one person accepts at once one is too many", async () => {
  const person = await withRoomForOne();
  const [one, other] = [await invite(person), await invite(person)];
  const accept = (token_sha256: string, transaction: Awaited<ReturnType<typeof openTransaction>>) =>
    transaction.sql`select public.accept_invitation(${token_sha256})`;
  await using first = await openTransaction(db, person.actor);
  await accept(one, first);
  await using second = await openTransaction(db, person.actor);
  const waiting = accept(other, second).then(() => "done", (error) => error.hint);
  await waitUntilBlocked(db, second);
  await first.commit();
  assertEquals(await waiting, "too_many_projects");
});

Deno.test("projects that were deleted, which nobody can leave, take no room", async () => {
  const person = await withRoomForOne("deleted");
  for (const token_sha256 of [await invite(person), await invite(person)]) {
    await db.rpc(person.actor, "accept_invitation", { token_sha256 });
  }
});
