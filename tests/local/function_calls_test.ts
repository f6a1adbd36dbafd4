// rpc() of functions that answer JSON, which the stack calls in one message: settings, arguments, answers and refusals are
// PostgREST's.
import { assertEquals } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { isSqlState, statusOf } from "../../local/postgrest_errors.ts";
import { eventually, type Fixture, startFixture } from "./fixture.ts";

const LOCK = 4711;
const SCHEMA = `
  create table public.notes (text text);
  create function public.echo(value jsonb default null, "limit" integer default 7) returns jsonb language sql stable as $$
    select jsonb_build_object('value', value, 'limit', "limit") $$;
  create function public.need(a integer, b integer default 0) returns jsonb language sql stable as $$ select to_jsonb(a + b) $$;
  create function public.nothing() returns jsonb language sql stable as $$ select null::jsonb $$;
  create function public.said() returns jsonb language plpgsql as $$ begin
    perform set_config('response.status', '202', true);
    perform set_config('response.headers', '[{"x-said": "yes"}]', true);
    return to_jsonb(current_setting('request.method') || ' ' || current_setting('request.path'));
  end $$;
  create function public.write_and_refuse() returns jsonb language plpgsql as $$ begin
    insert into public.notes values ('x');
    raise exception 'no' using errcode = 'PT409', hint = 'a_hint', detail = 'a detail';
  end $$;
  create function public.write(text text) returns jsonb language sql volatile as $$
    insert into public.notes values (text) returning to_jsonb(notes) $$;
  create function public.wait_for_lock() returns jsonb language plpgsql as $$ begin
    perform pg_advisory_xact_lock_shared(${LOCK});
    return 'true';
  end $$;
  create function public.own() returns jsonb language sql stable as $$ select '1'::jsonb $$;
  revoke execute on function public.own() from public, anon, authenticated;
`;

let stack: Fixture;
let sql: postgres.Sql;

Deno.test.beforeAll(async () => {
  stack = await startFixture({});
  sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(SCHEMA);
  await eventually(async () => await service().rpc("echo", {}), ({ error }) => error === null);
});

Deno.test.afterAll(async () => {
  await sql.end();
  await stack?.dispose();
});

const client = (key: string) => createClient(stack.url, key, { auth: { persistSession: false } });
const service = () => client(stack.secretKey);

Deno.test("every kind of JSON arrives as what it is, a text that reads as JSON too", async () => {
  for (const value of [{ a: [1] }, [1, null], "text", "5", 'it\'s \\ a "quote" $1', 5, true, "ö 🎈"]) {
    assertEquals((await service().rpc("echo", { value })).data?.value, value);
  }
});

Deno.test("what is left out has its default, and what is null has none", async () => {
  assertEquals((await service().rpc("echo")).data, { value: null, limit: 7 });
  assertEquals((await service().rpc("echo", { limit: null })).data, { value: null, limit: null });
});

Deno.test("NULL is answered as null", async () => {
  const { data, status, error } = await service().rpc("nothing");
  assertEquals([data, status, error], [null, 200, null]);
});

Deno.test("arguments that are missing or unknown are a function that cannot be found", async () => {
  for (const args of [{}, { b: 1 }, { a: 1, c: 1 }]) {
    const { status, error } = await service().rpc("need", args);
    assertEquals([status, error?.code], [404, "PGRST202"]);
  }
});

Deno.test("a value that is not of its argument's type is named", async () => {
  const { status, error } = await service().rpc("need", { a: "x" });
  assertEquals([status, error?.code], [400, "22P02"]);
});

Deno.test("a function reads its request, and says the status and headers of its answer", async () => {
  const answer = await fetch(`${stack.url}/rest/v1/rpc/said`, {
    method: "POST",
    headers: { apikey: stack.secretKey, "content-type": "application/json" },
  });
  assertEquals([answer.status, answer.headers.get("x-said")], [202, "yes"]);
  assertEquals(await answer.json(), "POST /rpc/said");
});

Deno.test("a refusal keeps code, hint and details, and undoes what was written", async () => {
  const { status, error } = await service().rpc("write_and_refuse");
  assertEquals([status, error?.code, error?.hint, error?.details], [409, "PT409", "a_hint", "a detail"]);
  assertEquals((await sql`select from public.notes where text = 'x'`).length, 0);
});

Deno.test("what was written stays", async () => {
  assertEquals((await service().rpc("write", { text: "'; drop table notes; --" })).error, null);
  assertEquals((await sql`select text from public.notes`).map(({ text }) => text), ["'; drop table notes; --"]);
});

Deno.test("whoever may not execute a function is told so, without a key's rights 401", async () => {
  const { status, error } = await client(stack.publishableKey).rpc("own");
  assertEquals([status, error?.code], [401, "42501"]);
  assertEquals((await service().rpc("own")).data, 1);
});

Deno.test("the caller's rights end with the call", async () => {
  await service().rpc("own");
  for (let call = 0; call < 40; call++) {
    assertEquals((await client(stack.publishableKey).rpc("own")).error?.code, "42501");
  }
});

Deno.test("calls that wait for a lock keep no other call waiting while a connection is free", async () => {
  await sql`select pg_advisory_lock(${LOCK})`;
  let done = 0;
  const waiting = Array.from({ length: 14 }, () => service().rpc("wait_for_lock").then(() => done++));
  await eventually(
    async () => (await sql`select from pg_locks where locktype = 'advisory' and not granted`).length,
    (count) => count === 14,
  );
  await Promise.all(Array.from({ length: 30 }, () => service().rpc("echo", { value: 1 })));
  assertEquals(done, 0);
  await sql`select pg_advisory_unlock(${LOCK})`;
  await Promise.all(waiting);
});

Deno.test("a function that was changed is called as it is now, a moment later", async () => {
  await sql.unsafe(`
    drop function public.nothing();
    create function public.nothing(more integer) returns jsonb language sql stable as $$ select to_jsonb(more) $$`);
  const answer = await eventually(
    async () => await service().rpc("nothing", { more: 3 }),
    ({ error }) => error === null,
  );
  assertEquals(answer.data, 3);
});

Deno.test("a database that is being restarted is away for a while, and nothing is wrong with what was asked", () => {
  assertEquals(["57P01", "57P02", "57P03", "57014"].map((code) => statusOf(code, false)), [503, 503, 503, 500]);
});

Deno.test("what a socket says is not taken for the database's word", () => {
  const codes = ["57014", "PT404", "42P01", "EPIPE", "ECONNRESET", "CONNECTION_CLOSED", undefined];
  assertEquals(codes.filter(isSqlState), ["57014", "PT404", "42P01"]);
});
