// Single sign-on makes accounts whose address another has already: their profiles are made all the same.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";

const db = await shareDatabase();

/** Signs somebody up as Auth does, as its own role; answers the id. */
async function signUp(email: string | null, throughSso = false): Promise<string> {
  const id = crypto.randomUUID();
  await db.sql.begin(async (tx) => {
    await tx`set local role supabase_auth_admin`;
    await tx`insert into auth.users (id, aud, role, email, is_sso_user, raw_user_meta_data)
      values (${id}, 'authenticated', 'authenticated', ${email}, ${throughSso}, '{"full_name": "Ada"}')`;
  });
  return id;
}

async function profileOf(id: string) {
  const [row] = await db.sql`select email, full_name from public.profiles where id = ${id}`;
  return row && { ...row };
}

Deno.test("an address that another account has is no obstacle to single sign-on: the profile gets a stand-in", async () => {
  const first = await signUp("shared@example.com");
  const second = await signUp("shared@example.com", true);
  assertEquals([await profileOf(first), await profileOf(second)], [
    { email: "shared@example.com", full_name: "Ada" },
    { email: `${second}@shared.invalid`, full_name: "Ada" },
  ]);
});

Deno.test("an account without an address has a profile", async () => {
  const id = await signUp(null);
  assertEquals(await profileOf(id), { email: `${id}@phone.invalid`, full_name: "Ada" });
});

Deno.test("a change to an address that another account has is followed by the stand-in", async () => {
  await signUp("taken@example.com");
  const id = await signUp("free@example.com", true);
  await db.sql`update auth.users set email = 'taken@example.com' where id = ${id}`;
  assertEquals((await profileOf(id))?.email, `${id}@shared.invalid`);
});

Deno.test("an account can be deleted by Auth's own role, with what hangs on it", async () => {
  const id = await signUp("gone@example.com");
  await db.sql`insert into public.projects (name, owner_id) values ('Alone', ${id})`;
  await db.sql.begin(async (tx) => {
    await tx`set local role supabase_auth_admin`;
    await tx`delete from auth.users where id = ${id}`;
  });
  assertEquals([await profileOf(id), ...await db.sql`select 1 from public.projects where owner_id = ${id}`], [
    undefined,
  ]);
});
