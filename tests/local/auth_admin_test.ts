// The admin API of the local Auth, as unmodified supabase-js uses it with the secret key.
import { assert, assertEquals } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import { signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { waitUntilBlocking } from "../support/transactions.ts";
import { sql } from "../functions/behind.ts";

const OPTIONS = { auth: { persistSession: false, autoRefreshToken: false } };
const { auth: { admin } } = createClient(stack.url, stack.secretKey, OPTIONS);
const visitor = () => createClient(stack.url, stack.publishableKey, OPTIONS);
const address = () => `${crypto.randomUUID()}@example.com`;
const password = "a-password-1";

Deno.test.afterAll(() => sql().end());

async function createUser(fields: Parameters<typeof admin.createUser>[0] = {}) {
  const { data, error } = await admin.createUser({ email: address(), password, email_confirm: true, ...fields });
  if (error) throw error;
  return data.user;
}

Deno.test("an account that was made signs in with its password, and has a profile", async () => {
  const user = await createUser({ user_metadata: { full_name: "Ada" } });
  const client = visitor();
  const { error } = await client.auth.signInWithPassword({ email: user.email ?? "", password });
  const { data } = await client.from("profiles").select("full_name").eq("id", user.id).single();
  assertEquals([error, data?.full_name], [null, "Ada"]);
});

Deno.test("an account whose address was not confirmed does not sign in", async () => {
  const { email = "" } = await createUser({ email_confirm: false });
  assertEquals((await visitor().auth.signInWithPassword({ email, password })).error?.code, "email_not_confirmed");
});

Deno.test("an address that is taken is refused, however it is written", async () => {
  const { email = "" } = await createUser();
  assertEquals((await admin.createUser({ email: email.toUpperCase() })).error?.code, "email_exists");
});

Deno.test("an address that somebody else takes at the same moment is refused", async () => {
  const email = address();
  const other = await sql().reserve();
  await other`begin`;
  const [holder] = await other<{ pid: number }[]>`
    insert into auth.users (id, email) values (gen_random_uuid(), ${email}) returning pg_backend_pid() as pid`;
  const made = admin.createUser({ email });
  await waitUntilBlocking(sql(), holder!);
  await other`commit`;
  other.release();
  assertEquals((await made).error?.code, "email_exists");
});

Deno.test("an account without an address, or with none that is one, is refused", async () => {
  for (const email of [undefined, "nobody"]) {
    assertEquals((await admin.createUser({ email })).error?.code, "validation_failed");
  }
});

Deno.test("an account can be read, and what is no account is not found", async () => {
  const { id } = await createUser({ app_metadata: { plan: "pro" } });
  const { data } = await admin.getUserById(id);
  assertEquals([data.user?.id, data.user?.app_metadata.plan, data.user?.identities?.length], [id, "pro", 1]);
  assertEquals((await admin.getUserById(crypto.randomUUID())).error?.code, "user_not_found");
});

Deno.test("a change touches what it names, and null takes a key away", async () => {
  const { id } = await createUser({ user_metadata: { full_name: "Ada", nick: "A" } });
  const email = address();
  const { data } = await admin.updateUserById(id, { email, user_metadata: { nick: null, city: "Ulm" } });
  assertEquals([data.user?.email, data.user?.user_metadata], [email, { full_name: "Ada", city: "Ulm" }]);
  assertEquals((await visitor().auth.signInWithPassword({ email, password })).error, null);
});

Deno.test("who is banned does not sign in, and does again when the ban is lifted", async () => {
  const { id, email = "" } = await createUser();
  const signIn = async () => (await visitor().auth.signInWithPassword({ email, password })).error?.code;
  await admin.updateUserById(id, { ban_duration: "1h30m" });
  assertEquals(await signIn(), "user_banned");
  await admin.updateUserById(id, { ban_duration: "none" });
  assertEquals(await signIn(), undefined);
  assertEquals((await admin.updateUserById(id, { ban_duration: "99999999999999h" })).error?.code, "validation_failed");
});

Deno.test("an account that was deleted is gone", async () => {
  const { id } = await createUser();
  assertEquals((await admin.deleteUser(id)).error, null);
  assertEquals((await admin.getUserById(id)).error?.code, "user_not_found");
});

Deno.test("accounts are listed in pages, the newest first", async () => {
  const ours = [await createUser(), await createUser()].map((user) => user?.id);
  // Others make accounts meanwhile.
  const { data: { users } } = await admin.listUsers({ page: 1, perPage: 1000 });
  assertEquals(users.map(({ id }) => id).filter((id) => ours.includes(id)), ours.toReversed());
  const { data } = await admin.listUsers({ page: 1, perPage: 1 });
  assertEquals(data.users.length, 1);
  assert("total" in data && data.total > 1 && data.nextPage === 2, JSON.stringify(data));
});

Deno.test("an invitation makes an account, and its link signs the reader in", async () => {
  const email = address();
  const { data, error } = await admin.inviteUserByEmail(email, {
    data: { project_name: "<Atlas>", role: "editor" },
    redirectTo: "http://localhost:3000/accept?token=1",
  });
  assertEquals([error, data.user?.email], [null, email]);
  const messages = await (await fetch(`${stack.url}/mail`, { headers: { accept: "application/json" } })).json();
  const { html, text } = messages.find(({ to }: { to: string }) => to === email);
  assert(html.includes("<strong>&lt;Atlas&gt;</strong> as editor"), html);
  const response = await fetch(/http\S+verify\S+/.exec(text)?.[0] ?? "", { redirect: "manual" });
  await response.body?.cancel();
  const target = new URL(response.headers.get("location") ?? "");
  assertEquals([target.search, target.hash.includes("&type=invite")], ["?token=1", true]);
  const token = new URLSearchParams(target.hash.slice(1)).get("access_token") ?? "";
  assertEquals((await visitor().auth.getUser(token)).data.user?.email, email);
});

Deno.test("who has an account is not invited to one", async () => {
  const { email = "" } = await createUser();
  assertEquals((await admin.inviteUserByEmail(email)).error?.code, "email_exists");
});

for (const type of ["signup", "invite", "magiclink", "recovery"] as const) {
  Deno.test(`a link of the type ${type} is made and not sent, and its code and its hash verify`, async () => {
    for (const way of ["token", "token_hash"] as const) {
      const known = type === "recovery" || (type === "magiclink" && way === "token");
      const email = known ? (await createUser()).email ?? "" : address();
      const { data, error } = await admin.generateLink({ type, email, password } as never);
      assertEquals([error, data.user?.email], [null, email]);
      const { email_otp: token = "", hashed_token: token_hash = "", verification_type } = data.properties ?? {};
      const verified = await visitor().auth.verifyOtp(
        (way === "token"
          ? { email, token, type: verification_type }
          : { token_hash, type: verification_type }) as never,
      );
      assertEquals([verified.error, verified.data.user?.email], [null, email]);
    }
  });
}

Deno.test("nobody but the secret key has the admin API", async () => {
  const { token, id } = await signUp("curious");
  for (const [key, bearer] of [[stack.publishableKey, token], [stack.publishableKey, ""], [stack.secretKey, token]]) {
    const headers: Record<string, string> = { apikey: key ?? "" };
    if (bearer) headers.authorization = `Bearer ${bearer}`;
    const response = await fetch(`${stack.url}/auth/v1/admin/users/${id}`, { headers });
    assertEquals([response.status, (await response.json()).error_code], [403, "not_admin"]);
  }
});

Deno.test("what the admin API does not have here is refused in words", async () => {
  const { error } = await admin.mfa.listFactors({ userId: crypto.randomUUID() });
  assertEquals([error?.status, error?.code], [404, "not_found"]);
});
