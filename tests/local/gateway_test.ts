// What the gateway makes of keys and tokens, and what it answers itself.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { SignJWT } from "jose";
import postgres from "postgres";
import { eventually, type Fixture, startFixture } from "./fixture.ts";

const SCHEMA = `
  create schema private;
  create table public.profiles (id uuid primary key references auth.users (id) on delete cascade, name text, at timestamptz default now());
  revoke all on public.profiles from anon, authenticated;
  grant select on public.profiles to authenticated;
  alter table public.profiles enable row level security;
  create policy "people can read their own profile" on public.profiles for select to authenticated using (id = (select auth.uid()));
  create function private.make_profile() returns trigger language plpgsql security definer set search_path = '' as $$
    begin insert into public.profiles (id, name) values (new.id, new.raw_user_meta_data ->> 'name'); return new; end $$;
  create trigger users_make_profile after insert on auth.users for each row execute function private.make_profile();
  create function public.who() returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('role', current_user, 'uid', auth.uid(), 'jwt', auth.jwt(), 'path', current_setting('search_path')) $$;
  create function public.refuse(code text) returns void language plpgsql set search_path = '' as $$
    begin raise exception 'no' using errcode = code, hint = 'a_hint', detail = 'a detail'; end $$;
  create function public.kind(value jsonb) returns text language sql immutable set search_path = '' as $$ select jsonb_typeof(value) $$;
  create function public.add_claim(event jsonb) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_set(event, '{claims,user_role}', '"admin"') $$;
  grant execute on function public.add_claim to supabase_auth_admin;
`;

let stack: Fixture;
let sql: postgres.Sql;

Deno.test.beforeAll(async () => {
  stack = await startFixture({
    "config.toml": `[api]
      schemas = ["public"]
      [auth.hook.custom_access_token]
      enabled = true
      uri = "pg-functions://postgres/public/add_claim"`,
  });
  sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(SCHEMA);
  await eventually(() => roleOf({ apikey: stack.publishableKey }), (role) => role === "anon");
});

Deno.test.afterAll(async () => {
  await sql.end();
  await stack?.dispose();
});

function client(key: string, bearer?: string): SupabaseClient {
  return createClient(stack.url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    ...(bearer ? { global: { headers: { authorization: `Bearer ${bearer}` } } } : {}),
  });
}

async function signUp(): Promise<{ user: SupabaseClient; id: string; token: string }> {
  const user = client(stack.publishableKey);
  const email = `${crypto.randomUUID()}@example.com`;
  const { data, error } = await user.auth.signUp({ email, password: "a-password", options: { data: { name: "Ada" } } });
  assertEquals(error, null);
  return { user, id: data.user?.id ?? "", token: data.session?.access_token ?? "" };
}

async function roleOf(headers: Record<string, string>, query = ""): Promise<unknown> {
  const response = await fetch(`${stack.url}/rest/v1/rpc/who${query}`, { method: "POST", headers });
  const body = await response.json();
  return response.ok ? body.role : response.status;
}

Deno.test("each kind of key speaks for its role, as header, query parameter or bearer", async () => {
  assertEquals(await roleOf({ apikey: stack.publishableKey }), "anon");
  assertEquals(await roleOf({ apikey: stack.anonKey }), "anon");
  assertEquals(await roleOf({ apikey: stack.secretKey }), "service_role");
  assertEquals(await roleOf({ apikey: stack.serviceRoleKey }), "service_role");
  assertEquals(await roleOf({}, `?apikey=${stack.publishableKey}`), "anon");
  assertEquals(await roleOf({ authorization: `Bearer ${stack.secretKey}` }), "service_role");
  assertEquals(await roleOf({ apikey: stack.publishableKey, authorization: `Bearer ${stack.publishableKey}` }), "anon");
  assertEquals(await roleOf({ apikey: stack.anonKey, authorization: `Bearer ${stack.anonKey}` }), "anon");
  assertEquals(
    await roleOf({ apikey: stack.publishableKey, authorization: `Bearer ${stack.serviceRoleKey}` }),
    "service_role",
  );
});

Deno.test("no key, a wrong key, a forged and an expired token are refused with 401", async () => {
  const sign = (secret: string, expires: string) =>
    new SignJWT({ sub: crypto.randomUUID(), role: "service_role" }).setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(expires).sign(new TextEncoder().encode(secret));
  const { publishableKey: apikey } = stack;
  assertEquals(await roleOf({}), 401);
  assertEquals(await roleOf({ apikey: "sb_secret_guess" }), 401);
  assertEquals(await roleOf({ apikey, authorization: `Bearer ${await sign("x".repeat(40), "1h")}` }), 401);
  assertEquals(await roleOf({ apikey, authorization: `Bearer ${await sign(stack.jwtSecret, "-1m")}` }), 401);
  assertEquals(await roleOf({ apikey, authorization: "Bearer two.parts" }), 401);
});

Deno.test("a token of another role than the API's three is refused, though it is signed as it should be", async () => {
  for (const role of ["postgres", "supabase_admin", "", ["authenticated"], { role: "service_role" }]) {
    const token = await new SignJWT({ sub: crypto.randomUUID(), role }).setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h").sign(new TextEncoder().encode(stack.jwtSecret));
    const answer = await roleOf({ apikey: stack.publishableKey, authorization: `Bearer ${token}` });
    assertEquals([role, answer], [role, 401]);
  }
});

Deno.test("a user signs up, is who they are in the database, and sees only their own rows", async () => {
  const [ada, bob] = [await signUp(), await signUp()];
  const who = (await ada.user.rpc("who")).data;
  assertEquals([who.role, who.uid], ["authenticated", ada.id]);
  const { data } = await ada.user.from("profiles").select();
  assertEquals(data?.map(({ id, name }) => [id, name]), [[ada.id, "Ada"]]);
  assert(bob.id !== ada.id);
});

Deno.test("an access token has the platform's claims and what the project's hook adds", async () => {
  const { user, id } = await signUp();
  const { jwt } = (await user.rpc("who")).data;
  const { iss, sub, aud, role, aal, is_anonymous, user_role, app_metadata, user_metadata } = jwt;
  assertEquals([iss, sub, aud, role], [`${stack.url}/auth/v1`, id, "authenticated", "authenticated"]);
  assertEquals([aal, is_anonymous, user_role], ["aal1", false, "admin"]);
  assertEquals([app_metadata.provider, user_metadata.name], ["email", "Ada"]);
  const { data } = await user.auth.refreshSession();
  const refreshed = JSON.parse(atob(data.session?.access_token.split(".")[1] ?? ""));
  assertEquals(refreshed.user_role, "admin");
});

Deno.test("signing up writes auth.users as the role that the platform's Auth has", async () => {
  await sql.unsafe(`
    create table public.writers (name text);
    grant insert on public.writers to supabase_auth_admin;
    create function private.note_writer() returns trigger language plpgsql set search_path = '' as $$
      begin insert into public.writers values (current_user); return new; end $$;
    grant usage on schema private to supabase_auth_admin;
    create trigger users_note_writer after insert on auth.users for each row execute function private.note_writer();`);
  await signUp();
  assertEquals((await sql`select distinct name from public.writers`)[0].name, "supabase_auth_admin");
  await sql.unsafe("drop trigger users_note_writer on auth.users");
});

Deno.test("errors of the database keep code, hint and details, with PostgREST's status", async () => {
  const service = client(stack.secretKey);
  const expected = { PT404: 404, P0001: 400, GE001: 400, "23505": 409, "23514": 400, "40001": 500, "42501": 403 };
  for (const [code, status] of Object.entries(expected)) {
    const answer = await service.rpc("refuse", { code });
    assertEquals([answer.status, answer.error?.code, answer.error?.hint], [status, code, "a_hint"]);
  }
});

Deno.test("a secret key that a browser sends is refused, by tables and by functions", async () => {
  for (const path of ["profiles?select=id", "rpc/who"]) {
    const answer = await fetch(`${stack.url}/rest/v1/${path}`, {
      method: path.startsWith("rpc") ? "POST" : "GET",
      headers: { apikey: stack.secretKey, "user-agent": "Mozilla/5.0", "content-type": "application/json" },
    });
    assertEquals([answer.status, (await answer.json()).message], [401, "Forbidden use of secret API key in browser"]);
  }
});

Deno.test("the Data API never grants anybody anything that the migrations took away", async () => {
  const before = await sql`select relacl from pg_class where relname = 'profiles'`;
  await client(stack.publishableKey).from("profiles").select();
  assertEquals(await sql`select relacl from pg_class where relname = 'profiles'`, before);
  assertEquals((await client(stack.publishableKey).from("profiles").select()).error?.code, "42501");
});

Deno.test("JSON arguments arrive as JSON, and times come back in ISO 8601", async () => {
  const service = client(stack.secretKey);
  for (const [value, kind] of [[{ a: 1 }, "object"], [[1], "array"], ["text", "string"]]) {
    assertEquals((await service.rpc("kind", { value })).data, kind);
  }
  const { user } = await signUp();
  const { data } = await user.from("profiles").select("at");
  assertEquals(new Date(data?.[0].at).toISOString().slice(0, 19), String(data?.[0].at).slice(0, 19));
  assertStringIncludes(String(data?.[0].at), "T");
});

Deno.test("a table made while the stack runs can be used a moment later", async () => {
  await sql.unsafe("create table public.fresh (id int); grant select on public.fresh to service_role");
  const answer = await eventually(
    async () => await client(stack.secretKey).from("fresh").select(),
    ({ error }) => error === null,
  );
  assertEquals(answer.data, []);
});

Deno.test("pages of any origin may call the services, and learn it from the preflight", async () => {
  const asked = { "access-control-request-method": "POST", "access-control-request-headers": "apikey,x-mine" };
  for (const path of ["auth/v1/token", "rest/v1/profiles", "storage/v1/bucket"]) {
    const response = await fetch(`${stack.url}/${path}`, { method: "OPTIONS", headers: asked });
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("access-control-allow-origin")], [200, "*"]);
    assertEquals(response.headers.get("access-control-allow-headers"), "apikey,x-mine");
  }
  const answer = await fetch(`${stack.url}/rest/v1/profiles`);
  await answer.body?.cancel();
  assertEquals(answer.headers.get("access-control-allow-origin"), "*");
});

const PATHS = ["/functions/v1/any", "/auth/v1/user", "/rest/v1/profiles", "/storage/v1/bucket", "/mail", "/"];

/** The status that a request gets which no client library would write. */
async function statusOf(method: string, path: string, host: string): Promise<string | undefined> {
  const { hostname, port } = new URL(stack.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const request = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  return (await new Response(connection.readable).text()).split(" ")[1];
}

Deno.test("methods that fetch cannot send are 405 in front of every service", async () => {
  for (const method of ["TRACE", "TRACK", "get", "Post"]) {
    for (const path of PATHS) assertEquals([method, path, await statusOf(method, path, "x")], [method, path, "405"]);
  }
});

Deno.test("a method that the Data API does not have is refused, and not taken for GET", async () => {
  for (const path of ["profiles", "rpc/who"]) {
    const answer = await fetch(`${stack.url}/rest/v1/${path}`, {
      method: "PROPFIND",
      headers: { apikey: stack.secretKey },
    });
    const { code, message } = await answer.json();
    assertEquals([answer.status, code, message], [405, "PGRST117", "Unsupported HTTP method: PROPFIND"]);
  }
});

Deno.test("a host that is none is 400 in front of every service", async () => {
  for (const host of ["[::", "a b", "%zz", "a:99999"]) {
    for (const path of PATHS) assertEquals([host, path, await statusOf("GET", path, host)], [host, path, "400"]);
  }
});

Deno.test("a path that no service answers is 404 in JSON, and / is a page that says what there is", async () => {
  const nowhere = await fetch(`${stack.url}/_system/info`);
  assertEquals([nowhere.status, typeof (await nowhere.json()).message], [404, "string"]);
  assertStringIncludes(await (await fetch(stack.url)).text(), "/rest/v1");
});
