// The custom access token hook: the role on the platform as a claim, from the row and from nowhere else.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createUser } from "../../support/factories.ts";

const db = await shareDatabase();

/** What the hook makes of a token's claims, called as Auth calls it. */
async function claimsOf(userId: string, claims: Record<string, unknown> = {}) {
  return await db.sql.begin(async (tx) => {
    await tx`set local role supabase_auth_admin`;
    const event = { user_id: userId, claims: { sub: userId, role: "authenticated", ...claims } };
    const [row] = await tx`select private.custom_access_token_hook(${tx.json(event)}) as answer`;
    return row?.answer.claims;
  });
}

for (const role of ["user", "developer", "admin"]) {
  Deno.test(`the token of a person with the role ${role} says so, and keeps its other claims`, async () => {
    const person = await createUser(db);
    await db.sql`update public.profiles set role = ${role} where id = ${person.id}`;
    assertEquals(await claimsOf(person.id, { aal: "aal1" }), {
      sub: person.id,
      role: "authenticated",
      aal: "aal1",
      user_role: role,
    });
  });
}

Deno.test("a claim of that name that was there before, or in the metadata, is worth nothing", async () => {
  const person = await createUser(db);
  const { user_role } = await claimsOf(person.id, { user_role: "admin", user_metadata: { user_role: "admin" } });
  assertEquals(user_role, "user");
});

Deno.test("somebody without a profile is a user", async () => {
  assertEquals((await claimsOf(crypto.randomUUID())).user_role, "user");
});

Deno.test("Auth reads of the profiles what the hook needs: ids and roles of those above user", async () => {
  const [user, admin] = [await createUser(db), await createUser(db)];
  await db.sql`update public.profiles set role = 'admin' where id = ${admin.id}`;
  const asAuth = (statement: string) =>
    db.sql.begin(async (tx) => {
      await tx`set local role supabase_auth_admin`;
      return await tx.unsafe(statement);
    });
  const rows = await asAuth(`select id, role from public.profiles where id in ('${user.id}', '${admin.id}')`);
  assertEquals(rows.map((row) => row.id), [admin.id]);
  for (const statement of ["select email from public.profiles", "update public.profiles set role = 'admin'"]) {
    assertEquals((await refused(asAuth(statement))).sqlstate, "42501");
  }
});

for (const actor of ["anon", "worker", "person"] as const) {
  Deno.test(`the hook is Auth's alone: not for ${actor}`, async () => {
    const who = actor === "person" ? (await createUser(db)).actor : actor;
    const call = db.as(who, (tx) => tx`select private.custom_access_token_hook('{}')`);
    assertEquals((await refused(call)).sqlstate, "42501");
  });
}
