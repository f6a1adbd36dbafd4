// access: who a person is comes from Auth and from nowhere else.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createUser } from "../../support/factories.ts";

const db = await shareDatabase();

async function signUp(metadata: unknown, email: string | null = `${crypto.randomUUID()}@example.com`) {
  const id = crypto.randomUUID();
  await db.sql`insert into auth.users (id, email, raw_user_meta_data) values (${id}, ${email}, ${
    db.sql.json(metadata as never)
  })`;
  const [profile] = await db.sql`select * from public.profiles where id = ${id}`;
  return profile;
}

Deno.test("a sign-up makes a profile with its address and name", async () => {
  const profile = await signUp({ full_name: "Ada", avatar_url: "https://example.com/a.png" }, "ada@example.com");
  assertEquals([profile?.email, profile?.full_name, profile?.avatar_url, profile?.role], [
    "ada@example.com",
    "Ada",
    "https://example.com/a.png",
    "user",
  ]);
});

Deno.test("whatever the sign-up says of roles, the role is user", async () => {
  const profile = await signUp({
    role: "admin",
    user_role: "admin",
    app_metadata: { role: "admin" },
    preferences: { role: "admin" },
  });
  assertEquals([profile?.role, profile?.preferences], ["user", {}]);
});

for (const metadata of [null, [], "text", { full_name: { a: 1 } }, { full_name: "x".repeat(100_000), avatar_url: 5 }]) {
  Deno.test(`metadata like ${JSON.stringify(metadata).slice(0, 30)} does not stop a sign-up`, async () => {
    assertEquals((await signUp(metadata))?.role, "user");
  });
}

Deno.test("a sign-up by phone, without an address, gets a profile too", async () => {
  assertEquals((await signUp({}, null))?.role, "user");
});

Deno.test("the profile's address follows Auth", async () => {
  const person = await createUser(db);
  await db.sql`update auth.users set email = ${`new-${person.email}`} where id = ${person.id}`;
  const [profile] = await db.sql`select email from public.profiles where id = ${person.id}`;
  assertEquals(profile?.email, `new-${person.email}`);
});

Deno.test("an account that is deleted takes its profile along", async () => {
  const person = await createUser(db);
  await db.sql`delete from auth.users where id = ${person.id}`;
  assertEquals((await db.sql`select from public.profiles where id = ${person.id}`).length, 0);
});

Deno.test("members see each other's name and picture, and nothing more", async () => {
  const project = await createProject(db);
  const rows = await db.as(project.viewer.actor, (tx) => tx`select * from public.project_members`);
  assertEquals(
    rows.map((row) => row.user_id).toSorted(),
    [project.owner.id, project.editor.id, project.viewer.id].toSorted(),
  );
  assertEquals(rows.columns.map((column) => column.name), ["project_id", "user_id", "role", "full_name", "avatar_url"]);
});

Deno.test("an admin who is made a user again loses the rights with the next statement", async () => {
  const admin = await createAdmin(db);
  await createProject(db);
  const seen = async () => (await db.as(admin.actor, (tx) => tx`select from public.projects`)).length;
  assertEquals(await seen() > 0, true);
  await db.sql`update public.profiles set role = 'user' where id = ${admin.id}`;
  assertEquals(await seen(), 0);
});

Deno.test("an admin claim in the token or its metadata is worth nothing", async () => {
  await createProject(db);
  const person = await createUser(db);
  const claims = { role: "authenticated", sub: person.id, user_role: "admin", user_metadata: { role: "admin" } };
  const seen = await db.as(person.actor, async (tx) => {
    await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
    return (await tx`select from public.projects`).length;
  });
  assertEquals(seen, 0);
});

Deno.test("a service_role claim in a person's token makes no worker of them", async () => {
  const project = await createProject(db);
  const claims = { role: "service_role", sub: project.stranger.id };
  const answer = await db.as(project.stranger.actor, async (tx) => {
    await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
    return (await tx`select private.is_worker() as is_worker`)[0]?.is_worker;
  });
  assertEquals(answer, false);
});
