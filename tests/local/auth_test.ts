// Auth on the local stack: relaxed for a first minute, as config.toml says with strictAuth.
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readConfig, relaxAuth } from "../../local/config.ts";
import { type AuthError, createClient } from "@supabase/supabase-js";
import { decodeJwt } from "jose";
import { signUp, worker } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { connect } from "../../local/platform.ts";
import { eventually, type Fixture, startFixture } from "./fixture.ts";

let strict: Fixture;

Deno.test.beforeAll(async () => {
  const shipped = await Deno.readTextFile(new URL("../../supabase/config.toml", import.meta.url));
  const template = await Deno.readTextFile(new URL("../../supabase/templates/confirmation.html", import.meta.url));
  strict = await startFixture({
    // Auth alone: the hook's function is a migration's.
    "config.toml": shipped.slice(shipped.indexOf("[auth]"), shipped.indexOf("[auth.email.template.recovery]")),
    // With the code as well, which our own message leaves out.
    "templates/confirmation.html": template.replace("</h2>", "</h2> {{ .Token }} "),
  });
});
Deno.test.afterAll(() => strict?.dispose());

const clientOf = ({ url, publishableKey }: { url: string; publishableKey: string }) =>
  createClient(url, publishableKey, { auth: { persistSession: false, autoRefreshToken: false } });
const address = () => `${crypto.randomUUID()}@example.com`;

Deno.test("without more ado a sign-up brings a session at once, with a simple password too", async () => {
  const { data, error } = await clientOf(stack).auth.signUp({ email: address(), password: "secret" });
  assertEquals(error, null);
  assert(data.session?.access_token);
});

Deno.test("with strictAuth a sign-up waits for its confirmation, in our own words", async () => {
  const email = address();
  const { data, error } = await clientOf(strict).auth.signUp({ email, password: "long-enough-1" });
  assertEquals([error, data.session], [null, null]);
  const messages = await (await fetch(`${strict.url}/mail`, { headers: { accept: "application/json" } })).json();
  const message = messages.find(({ to }: { to: string }) => to === email);
  assertEquals(message?.subject, "Confirm your address");
  assert(message?.html.includes("<h2>Confirm your address</h2>"), message?.html);
});

for (const password of ["short-1", "no-digits-in-here", "12345678901"]) {
  Deno.test(`with strictAuth the password ${password} is refused`, async () => {
    const { error } = await clientOf(strict).auth.signUp({ email: address(), password });
    assertEquals(error?.code, "weak_password");
  });
}

Deno.test("relaxing touches confirmations and password rules, and nothing else", async () => {
  const config = await readConfig(fileURLToPath(new URL("../../supabase/config.toml", import.meta.url)));
  const { auth, ...rest } = relaxAuth(config);
  const back = {
    ...auth,
    email: { ...auth.email, enable_confirmations: true },
    minimum_password_length: config.auth.minimum_password_length,
    password_requirements: config.auth.password_requirements,
  };
  assertEquals({ ...rest, auth: back }, config);
});

Deno.test("a token says its holder's role, and a new one says the new role", async () => {
  const person = await signUp("climber");
  assertEquals(decodeJwt(person.token).user_role, "user");
  const { error } = await worker().rpc("set_user_role", { user_id: person.id, role: "developer" });
  assertEquals(error, null);
  const { data } = await person.client.auth.refreshSession();
  assertEquals(decodeJwt(data.session?.access_token ?? "").user_role, "developer");
});

/** What the newest message to an address lets its reader verify with. */
async function mailed({ url }: { url: string }, email: string): Promise<{ token: string; token_hash: string }> {
  const messages = await (await fetch(`${url}/mail`, { headers: { accept: "application/json" } })).json();
  const { text, html } = messages.find(({ to }: { to: string }) => to === email);
  const token_hash = /verify\?(?:[^"\s]*&(?:amp;)?)?token=([\w-]+)/.exec(text ?? html)?.[1] ?? "";
  return { token: /(?<=\s)\d{6,8}(?=\s)/.exec(`${text} ${html} `)?.[0] ?? "", token_hash };
}

for (const way of ["token", "token_hash"] as const) {
  Deno.test(`the verification type email takes the ${way} of a sign-in`, async () => {
    const { email } = await signUp("reader");
    const client = clientOf(stack);
    assertEquals((await client.auth.signInWithOtp({ email })).error, null);
    const { token, token_hash } = await mailed(stack, email);
    const { data, error } = await client.auth.verifyOtp(
      way === "token" ? { email, token, type: "email" } : { token_hash, type: "email" },
    );
    assertEquals([error, data.user?.email], [null, email]);
  });

  Deno.test(`the verification type email takes the ${way} of a sign-up, which confirms the address`, async () => {
    const email = address();
    const client = clientOf(strict);
    assertEquals((await client.auth.signUp({ email, password: "long-enough-1" })).error, null);
    const { token, token_hash } = await mailed(strict, email);
    const { data, error } = await client.auth.verifyOtp(
      way === "token" ? { email, token, type: "email" } : { token_hash, type: "email" },
    );
    assertEquals([error, data.user?.email], [null, email]);
    assertEquals((await clientOf(strict).auth.signInWithPassword({ email, password: "long-enough-1" })).error, null);
  });
}

Deno.test("a wrong code of the verification type email is refused", async () => {
  const { email } = await signUp("guesser");
  await clientOf(stack).auth.signInWithOtp({ email });
  const { error } = await clientOf(stack).auth.verifyOtp({ email, token: "000000", type: "email" });
  assertEquals(error?.code, "otp_expired");
});

Deno.test("what the local Auth does not have is refused in words", async () => {
  const { client } = await signUp("factor");
  for (const { error } of [await client.auth.mfa.enroll({ factorType: "totp" }), await linked(client)]) {
    assertEquals([error?.status, error?.code], [404, "not_found"]);
  }
});

type Tried = { error: AuthError | null } | PromiseLike<{ error: AuthError | null }>;

const ABSENT: Record<string, (auth: ReturnType<typeof clientOf>["auth"]) => Tried> = {
  "single sign-on": (auth) => auth.signInWithSSO({ domain: "example.com" }),
  "a token of a provider": (auth) => auth.signInWithIdToken({ provider: "google", token: "x" }),
  "a wallet": (auth) => auth.signInWithWeb3({ chain: "ethereum", message: "x", signature: "0x1" }),
};
for (const [what, attempt] of Object.entries(ABSENT)) {
  Deno.test(`${what} is refused as nothing that the local Auth has, also where nobody is signed in`, async () => {
    const { error } = await attempt(clientOf(stack).auth);
    assertEquals([error?.status, error?.code], [404, "not_found"]);
  });
}

const phone = "+4930123456";
const BY_PHONE: Record<string, (auth: ReturnType<typeof clientOf>["auth"]) => Tried> = {
  "a sign-up": (auth) => auth.signUp({ phone, password: "secret-1" }),
  "a sign-in": (auth) => auth.signInWithPassword({ phone, password: "secret-1" }),
  "a code": (auth) => auth.signInWithOtp({ phone }),
  "another message": (auth) => auth.resend({ type: "sms", phone }),
};
for (const [what, attempt] of Object.entries(BY_PHONE)) {
  Deno.test(`${what} by phone is refused as one, and not taken for something else`, async () => {
    const { error } = await attempt(clientOf(stack).auth);
    assertEquals([error?.status, error?.code], [400, "phone_provider_disabled"]);
  });
}

Deno.test("an account that is given a phone is told that there are none", async () => {
  const { client } = await signUp("caller");
  assertEquals((await client.auth.updateUser({ phone })).error?.code, "phone_provider_disabled");
});

Deno.test("times of an account are ISO 8601, which every browser reads", async () => {
  const { client } = await signUp("dated");
  const { data: { user } } = await client.auth.getUser();
  const identity = user?.identities?.[0];
  const times = [user?.created_at, user?.updated_at, user?.last_sign_in_at, user?.confirmed_at, identity?.created_at];
  for (const time of times) assertMatch(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
});

const linked = (client: ReturnType<typeof clientOf>) =>
  client.auth.linkIdentity({ provider: "github", options: { skipBrowserRedirect: true } });

Deno.test("who signs up with an address that somebody else is just taking is told so", async () => {
  const email = address();
  const sql = connect(strict.databaseUrl, { max: 2 });
  const signing = await sql.begin(async (tx) => {
    await tx`insert into auth.users (id, email, is_sso_user) values (gen_random_uuid(), ${email}, false)`;
    const answer = clientOf(strict).auth.signUp({ email, password: "long-enough-1" });
    const waiting = () => sql<{ n: number }[]>`select count(*)::int as n from pg_locks where not granted`;
    await eventually(waiting, ([{ n }]) => n > 0);
    return { answer };
  });
  const { error } = await signing.answer;
  await sql.end();
  assertEquals([error?.status, error?.code], [422, "user_already_exists"]);
});

/** An account with a session on each of two devices, and what a refresh of one of them says. */
async function onTwoDevices() {
  const credentials = { email: address(), password: "the-first-1" };
  const [here, there] = [clientOf(stack), clientOf(stack)];
  const { data } = await here.auth.signUp(credentials);
  await there.auth.signInWithPassword(credentials);
  const refused = async (client: typeof here) => (await client.auth.refreshSession()).error?.code;
  return { ...credentials, id: data.user?.id ?? "", here, there, refused };
}

Deno.test("a new password ends the sessions of all other devices", async () => {
  const { here, there, refused } = await onTwoDevices();
  assertEquals((await here.auth.updateUser({ password: "the-second-1" })).error, null);
  assertEquals([await refused(here), await refused(there)], [undefined, "refresh_token_not_found"]);
});

Deno.test("a password that is refused, and a change of something else, ends no session", async () => {
  const { here, there, refused, password } = await onTwoDevices();
  assertEquals((await here.auth.updateUser({ password })).error?.code, "same_password");
  assertEquals((await here.auth.updateUser({ data: { colour: "red" } })).error, null);
  assertEquals(await refused(there), undefined);
});

Deno.test("a password that the service gives ends all sessions", async () => {
  const { id, here, there, refused } = await onTwoDevices();
  assertEquals((await worker().auth.admin.updateUserById(id, { password: "the-second-1" })).error, null);
  assertEquals([await refused(here), await refused(there)], Array(2).fill("refresh_token_not_found"));
});
