// Outgoing mail: kept, shown, and led to this stack's own URL.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import { request } from "node:http";
import { type Fixture, startFixture } from "./fixture.ts";

let stack: Fixture;

Deno.test.beforeAll(async () => {
  stack = await startFixture({ "config.toml": "[auth.email]\nenable_confirmations = true" });
});

Deno.test.afterAll(async () => {
  await stack?.dispose();
});

function post(body: unknown, key?: string): Promise<Response> {
  const headers = { "content-type": "application/json", ...(key ? { apikey: key } : {}) };
  return fetch(`${stack.url}/mail`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function list(): Promise<{ to: string; subject: string; text: string; html: string; sent_at: string }[]> {
  return await (await fetch(`${stack.url}/mail`, { headers: { accept: "application/json" } })).json();
}

Deno.test("a message posted with the secret key is listed first", async () => {
  for (const subject of ["first", "second"]) {
    const response = await post({ to: "a@example.com", subject, text: "t", html: "<p>h</p>" }, stack.secretKey);
    await response.body?.cancel();
    assertEquals(response.status, 201);
  }
  const [newest, older] = await list();
  assertEquals([newest.subject, older.subject], ["second", "first"]);
  assertEquals([newest.to, newest.text, newest.html], ["a@example.com", "t", "<p>h</p>"]);
  assertMatch(newest.sent_at, /^\d{4}-\d\d-\d\dT.*Z$/);
});

Deno.test("posting and emptying take the secret key, and a message needs a reader", async () => {
  const count = (await list()).length;
  for (const key of [undefined, stack.publishableKey]) {
    assertEquals((await post({ to: "x", subject: "y" }, key)).status, 401);
  }
  assertEquals((await post({ subject: "to nobody" }, stack.secretKey)).status, 422);
  assertEquals((await fetch(`${stack.url}/mail`, { method: "DELETE" })).status, 401);
  assertEquals((await list()).length, count);
});

Deno.test("no page of another origin can read the mail", async () => {
  const response = await fetch(`${stack.url}/mail`, { headers: { origin: "https://evil.example" } });
  await response.body?.cancel();
  assertEquals([response.status, response.headers.get("access-control-allow-origin")], [200, null]);
});

/** The status of a request to this stack under another name. */
const statusAs = (host: string, headers: Record<string, string> = {}) =>
  new Promise<number | undefined>((resolve, reject) => {
    const asked = request(`${stack.url}/mail`, { headers: { host, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });

Deno.test("a page whose name was given this machine's address cannot read the mail", async () => {
  const { port } = new URL(stack.url);
  const ours = ["localhost", "app.localhost", "127.0.0.1", "[::1]"].map((name) => `${name}:${port}`);
  const others = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1"];
  assertEquals(await Promise.all(ours.map((host) => statusAs(host))), [200, 200, 200, 200]);
  assertEquals(await Promise.all(others.map((host) => statusAs(host))), [403, 403, 403, 403]);
  assertEquals(await statusAs("evil.example", { apikey: stack.secretKey }), 200);
});

Deno.test("the page shows a message's text, and never runs what is in it", async () => {
  await (await post(
    { to: "b@example.com", subject: "<script>1</script>", html: '"><script>2</script>' },
    stack.secretKey,
  ))
    .body?.cancel();
  const page = await (await fetch(`${stack.url}/mail`, { headers: { accept: "text/html" } })).text();
  assertStringIncludes(page, "b@example.com");
  assertEquals(page.includes("<script>"), false);
});

Deno.test("the link in a confirmation leads to this stack, and signs the reader in", async () => {
  const user = createClient(stack.url, stack.publishableKey, { auth: { persistSession: false } });
  const email = `${crypto.randomUUID()}@example.com`;
  assertEquals((await user.auth.signUp({ email, password: "a-password" })).data.session, null);
  const mail = (await list()).find(({ to }) => to === email);
  const link = /https?:\/\/[^\s"<>]+/.exec(mail?.text ?? "")?.[0] ?? "";
  assertStringIncludes(link, `${stack.url}/auth/v1/verify`);
  const response = await fetch(link, { redirect: "manual" });
  await response.body?.cancel();
  const token = /access_token=([^&]+)/.exec(response.headers.get("location") ?? "")?.[1] ?? "";
  assertEquals((await user.auth.getUser(token)).data.user?.email, email);
  assertEquals(JSON.parse(atob(token.split(".")[1])).amr[0].method, "otp");
});

Deno.test("a confirmation that a client of the flow pkce asked for brings a code, which signs the reader in", async () => {
  const user = createClient(stack.url, stack.publishableKey, { auth: { flowType: "pkce", persistSession: false } });
  const email = `${crypto.randomUUID()}@example.com`;
  await user.auth.signUp({ email, password: "a-password" });
  const link = /https?:\/\/[^\s"<>]+/.exec((await list()).find(({ to }) => to === email)?.text ?? "")?.[0] ?? "";
  const response = await fetch(link, { redirect: "manual" });
  await response.body?.cancel();
  const code = new URL(response.headers.get("location") ?? "").searchParams.get("code") ?? "";
  assertEquals((await user.auth.exchangeCodeForSession(code)).data.user?.email, email);
});

Deno.test("emptying the mailbox empties it", async () => {
  const response = await fetch(`${stack.url}/mail`, { method: "DELETE", headers: { apikey: stack.secretKey } });
  assertEquals(response.status, 204);
  assertEquals(await list(), []);
});
