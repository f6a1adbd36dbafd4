// Links in messages of the local Auth, as unmodified supabase-js uses them: where they lead back to, and the flow "pkce".
import { assert, assertEquals } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import { signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { sql } from "../functions/behind.ts";

const BACK = "http://localhost:3000/auth/callback?next=%2Fruns";

Deno.test.afterAll(() => sql().end());

/** A client with a browser's memory of its own. */
function browser(flowType: "pkce" | "implicit" = "pkce") {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
  return createClient(stack.url, stack.publishableKey, { auth: { flowType, storage, autoRefreshToken: false } }).auth;
}

/** The link of the newest message to an address. */
async function linkTo(email: string): Promise<string> {
  const messages = await (await fetch(`${stack.url}/mail`, { headers: { accept: "application/json" } })).json();
  const message = messages.find(({ to }: { to: string }) => to === email);
  return /http\S+\/auth\/v1\/verify\?\S+/.exec(message?.text)?.[0] ?? "";
}

/** Where a link leads. */
async function follow(link: string): Promise<URL> {
  const response = await fetch(link, { redirect: "manual" });
  await response.body?.cancel();
  return new URL(response.headers.get("location") ?? "");
}

/** Asks for a link to sign in with, and follows it. */
async function signInByLink(auth: ReturnType<typeof browser>, emailRedirectTo = BACK) {
  const { email } = await signUp("reader");
  assertEquals((await auth.signInWithOtp({ email, options: { emailRedirectTo } })).error, null);
  const link = await linkTo(email);
  const target = await follow(link);
  return { email, link, target, code: target.searchParams.get("code") ?? "" };
}

Deno.test("a link leads back to where the request asked for", async () => {
  const { target } = await signInByLink(browser("implicit"));
  assert(target.href.startsWith(`${BACK}#access_token=`), target.href);
});

Deno.test("a link that would lead to a site which is not listed leads to the project's own", async () => {
  const { target } = await signInByLink(browser("implicit"), "https://elsewhere.example.com/");
  assertEquals(target.origin, "http://127.0.0.1:3000");
});

Deno.test("the flow pkce: a link to sign in brings a code, and the code a session", async () => {
  const auth = browser();
  const { email, target, code } = await signInByLink(auth);
  assertEquals([target.searchParams.get("next"), target.hash], ["/runs", ""]);
  const { data, error } = await auth.exchangeCodeForSession(code);
  assertEquals([error, data.user?.email], [null, email]);
});

Deno.test("the flow pkce: a token of the app's own in the page that a link leads to stays as it was", async () => {
  const token = "0123456789abcdef".repeat(4);
  const { target } = await signInByLink(browser(), `http://localhost:3000/auth/callback?token=invite-${token}`);
  assertEquals(target.searchParams.get("token"), `invite-${token}`);
});

Deno.test("the flow pkce: a forgotten password is set anew by the code of the link", async () => {
  const auth = browser();
  const { email } = await signUp("forgets");
  assertEquals((await auth.resetPasswordForEmail(email, { redirectTo: BACK })).error, null);
  const code = (await follow(await linkTo(email))).searchParams.get("code") ?? "";
  assertEquals((await auth.exchangeCodeForSession(code)).error, null);
  assertEquals((await auth.updateUser({ password: "another-secret-1" })).error, null);
  assertEquals((await browser().signInWithPassword({ email, password: "another-secret-1" })).error, null);
});

Deno.test("the flow pkce: a code is worth nothing to another client", async () => {
  const { code } = await signInByLink(browser());
  const other = browser();
  await other.signInWithOtp({ email: (await signUp("other")).email });
  assertEquals((await other.exchangeCodeForSession(code)).error?.code, "bad_code_verifier");
});

Deno.test("the flow pkce: a link makes one session, which is the code's", async () => {
  const auth = browser();
  const { email, code } = await signInByLink(auth);
  await auth.exchangeCodeForSession(code);
  const sessions = await sql()`
    select from auth.sessions as s join auth.users as u on u.id = s.user_id where u.email = ${email}`;
  // The other one came with the account.
  assertEquals(sessions.length, 2);
});

Deno.test("the flow pkce: the token hash of a message signs in as well", async () => {
  const auth = browser();
  const { email } = await signUp("reader");
  await auth.signInWithOtp({ email });
  const token_hash = new URL(await linkTo(email)).searchParams.get("token") ?? "";
  assert(token_hash.startsWith("pkce_"));
  assertEquals((await auth.verifyOtp({ token_hash, type: "email" })).data.user?.email, email);
});

Deno.test("the flow pkce: a link that was used tells the app so, in the query", async () => {
  const { link } = await signInByLink(browser());
  assertEquals((await follow(link)).searchParams.get("error_code"), "otp_expired");
});

Deno.test("an address changes by the link in a message to the new one: nobody takes one that they do not read", async () => {
  const { id, email: old, client: { auth } } = await signUp("mover");
  const email = `moved-${crypto.randomUUID()}@example.com`;
  assertEquals((await auth.updateUser({ email })).error, null);
  const before = await sql()`select email from auth.users where id = ${id}`;
  assertEquals([await linkTo(old), before[0]?.email], ["", old]);
  await follow(await linkTo(email));
  const after = await sql()`select email from auth.users where id = ${id}`;
  assertEquals(after[0]?.email, email);
});
