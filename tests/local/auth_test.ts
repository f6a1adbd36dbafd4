// Auth on the local stack: relaxed for a first minute, as config.toml says with strictAuth.
import { assert, assertEquals } from "@std/assert";
import { readConfig, relaxAuth } from "../../local/config.ts";
import { createClient } from "@supabase/supabase-js";
import { decodeJwt } from "jose";
import { signUp, worker } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { type Fixture, startFixture } from "./fixture.ts";

let strict: Fixture;

Deno.test.beforeAll(async () => {
  const shipped = await Deno.readTextFile(new URL("../../supabase/config.toml", import.meta.url));
  const template = await Deno.readTextFile(new URL("../../supabase/templates/confirmation.html", import.meta.url));
  strict = await startFixture({
    // Auth alone: the hook's function is a migration's.
    "config.toml": shipped.slice(shipped.indexOf("[auth]"), shipped.indexOf("[auth.email.template.recovery]")),
    "templates/confirmation.html": template,
  });
});
Deno.test.afterAll(() => strict.dispose());

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
  const config = await readConfig(new URL("../../supabase/config.toml", import.meta.url).pathname);
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
