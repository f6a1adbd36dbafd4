// set_user_role: the only way to another role on the platform, for admins and workers.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createUser } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();
const roleOf = async (id: string) => (await db.sql`select role from public.profiles where id = ${id}`)[0]?.role;

for (const role of ["admin", "developer", "user"]) {
  Deno.test(`an admin and a worker can make anyone ${role}`, async () => {
    for (const actor of [(await createAdmin(db)).actor, "worker"] as const) {
      const person = await createUser(db);
      const answer = await db.rpc(actor, "set_user_role", { user_id: person.id, role });
      assertEquals([answer, await roleOf(person.id)], [{ profile: { id: person.id, role } }, role]);
    }
  });
}

Deno.test("nobody else can, not for themselves nor for others, whatever they own", async () => {
  const project = await createProject(db);
  const developer = await createUser(db);
  await db.sql`update public.profiles set role = 'developer' where id = ${developer.id}`;
  for (const person of [project.owner, project.editor, project.viewer, project.stranger, developer]) {
    for (const user_id of [person.id, project.viewer.id]) {
      const refusal = await db.refusal(person.actor, "set_user_role", { user_id, role: "admin" });
      assertEquals([refusal.code, refusal.sqlstate], ["forbidden", "PT403"]);
    }
    assertEquals(await roleOf(person.id) === "admin", false);
  }
  assertEquals(
    (await db.refusal("anon", "set_user_role", { user_id: project.viewer.id, role: "admin" })).sqlstate,
    "42501",
  );
});

for (const role of ["owner", "ADMIN", "", null]) {
  Deno.test(`the role ${JSON.stringify(role)} is validation_failed`, async () => {
    const person = await createUser(db);
    assertEquals((await db.refusal("worker", "set_user_role", { user_id: person.id, role })).code, "validation_failed");
  });
}

Deno.test("a person who does not exist is person_not_found", async () => {
  for (const user_id of [crypto.randomUUID(), null]) {
    assertEquals((await db.refusal("worker", "set_user_role", { user_id, role: "user" })).code, "person_not_found");
  }
});

Deno.test("the last admin cannot step down, nor be stepped down, until there is another", async () => {
  await db.sql`update public.profiles set role = 'user' where role = 'admin'`;
  const [last, next] = [await createAdmin(db), await createUser(db)];
  const down = { user_id: last.id, role: "user" };
  for (const actor of [last.actor, "worker"] as const) {
    assertEquals((await db.refusal(actor, "set_user_role", down)).code, "last_admin");
  }
  await db.rpc(last.actor, "set_user_role", { user_id: next.id, role: "admin" });
  await db.rpc(last.actor, "set_user_role", down);
  assertEquals([await roleOf(last.id), await roleOf(next.id)], ["user", "admin"]);
});

/** What became of the second call, which waits for the first until that commits. */
async function afterWaiting(
  first: { actor: Actor; down: string },
  second: { actor: Actor; user_id: string; role: string },
) {
  await using one = await openTransaction(db, first.actor);
  await using two = await openTransaction(db, second.actor);
  await one.rpc("set_user_role", { user_id: first.down, role: "user" });
  const waiting = two.rpc("set_user_role", { user_id: second.user_id, role: second.role }).then(
    () => "done",
    (error) => error.hint,
  );
  await waitUntilBlocked(db, two);
  await one.commit();
  const answer = await waiting;
  await two.commit().catch(() => {});
  return answer;
}

Deno.test("of the last two admins who step down at once, one stays", async () => {
  await db.sql`update public.profiles set role = 'user' where role = 'admin'`;
  const [one, two] = [await createAdmin(db), await createAdmin(db)];
  const stepDown = { actor: two.actor, user_id: two.id, role: "user" };
  assertEquals(await afterWaiting({ actor: one.actor, down: one.id }, stepDown), "last_admin");
  assertEquals([await roleOf(one.id), await roleOf(two.id)], ["user", "admin"]);
});

Deno.test("an admin who is being stepped down raises nobody any more: not themselves, and nobody else", async () => {
  const [one, two, friend] = [await createAdmin(db), await createAdmin(db), await createUser(db)];
  for (const user_id of [two.id, friend.id]) {
    await db.sql`update public.profiles set role = 'admin' where id = ${two.id}`;
    const raise = { actor: two.actor, user_id, role: "admin" };
    assertEquals(await afterWaiting({ actor: one.actor, down: two.id }, raise), "forbidden");
    assertEquals([await roleOf(two.id), await roleOf(friend.id)], ["user", "user"]);
  }
});
