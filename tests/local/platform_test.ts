// What a migration finds on the local database, and may do there, as on a hosted project.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import postgres from "postgres";
import { readConfig } from "../../local/config.ts";
import { checkExternalDatabase } from "../../local/external_database.ts";
import { fetchCli, pendingChanges, pushChanges } from "../../local/migrate.ts";
import { applyPlatform, connect } from "../../local/platform.ts";
import { type Postgres, startPostgres } from "../../local/postgres.ts";
import { freePort } from "../support/free_port.ts";

let server: Postgres;
let directory: string;
let sql: postgres.Sql;

Deno.test.beforeAll(async () => {
  directory = await Deno.makeTempDir({ prefix: "genesis-platform-" });
  await Deno.chmod(directory, 0o755);
  server = await startPostgres(directory, freePort());
  await applyPlatform(server.adminUrl);
  const admin = connect(server.adminUrl);
  await admin`alter role postgres password 'postgres'`;
  await admin.end();
  sql = connect(server.databaseUrl);
});

Deno.test.afterAll(async () => {
  await sql.end();
  await server?.stop();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("migrations run as postgres, who is no superuser, with hosted's search path", async () => {
  const [role] = await sql`
    select rolname, rolsuper, rolbypassrls, rolcreaterole, current_setting('search_path') as path
    from pg_roles where rolname = current_user`;
  assertEquals({ ...role }, {
    rolname: "postgres",
    rolsuper: false,
    rolbypassrls: true,
    rolcreaterole: true,
    path: '"$user", public, extensions',
  });
});

Deno.test("a URL may name its database percent-encoded", async () => {
  await sql`create database "two words"`;
  const there = connect(server.databaseUrl.replace(/postgres$/, "two%20words"));
  const [row] = await there`select current_database() as name`;
  await there.end();
  assertEquals(row.name, "two words");
});

Deno.test("postgres may reference auth.users, watch it, and take the watch back", async () => {
  await sql.unsafe(`
    create table public.people (id uuid primary key references auth.users (id) on delete cascade, name text);
    create function public.on_user() returns trigger language plpgsql security definer set search_path = '' as $$
      begin insert into public.people values (new.id, new.raw_user_meta_data ->> 'name'); return new; end $$;
    create trigger users_on_user after insert on auth.users for each row execute function public.on_user();
    insert into auth.users (id, instance_id, aud, role, email, raw_user_meta_data)
      values ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-000000000000',
              'authenticated', 'authenticated', 'ada@example.com', '{"name":"Ada"}');
    drop trigger users_on_user on auth.users;`);
  assertEquals((await sql`select name from public.people`)[0].name, "Ada");
});

Deno.test("postgres may write policies on realtime.messages and storage.objects, and publish a table", async () => {
  await sql.unsafe(`
    create policy "members can hear" on realtime.messages for select to authenticated
      using (realtime.topic() = 'project:' || (select auth.uid()));
    create policy "members can see" on storage.objects for select to authenticated using (bucket_id = 'x');
    create table public.heard (id int primary key);
    alter publication supabase_realtime add table public.heard;`);
  assertEquals(
    (await sql`select tablename from pg_publication_tables where pubname = 'supabase_realtime'`).map((row) =>
      row.tablename
    ),
    ["heard"],
  );
});

/** Whether postgres is a member of a role that owns the platform's tables. */
async function isMember(): Promise<boolean> {
  const [{ member }] = await sql`
    select bool_or(pg_has_role('postgres', name, 'member')) as member
    from unnest(array['supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin']) as name`;
  return member;
}

Deno.test("postgres may change policies of the platform's tables, in a function's body too, and owns them no longer after", async () => {
  await sql.unsafe(`
    do $$ begin
      execute 'create policy changing on storage.objects for select to authenticated using (false)';
    end $$;
    alter policy changing on storage.objects using (true);
    drop policy changing on storage.objects;`);
  assertEquals(await isMember(), false);
});

Deno.test("a policy that cannot be made leaves postgres as it was", async () => {
  await assertRejects(() => sql.unsafe("create policy broken on storage.objects using (missing)"), Error, "missing");
  assertEquals(await isMember(), false);
});

const NOT_HOSTED = {
  "alter table storage.objects enable row level security": "must be owner of table objects",
  "alter table auth.users add column nickname text": "must be owner of table users",
  "alter table realtime.messages disable row level security": "must be owner of table messages",
  "create index on auth.users (lower(email))": "must be owner of table users",
  "comment on table storage.buckets is 'ours'": "must be owner of table buckets",
  "comment on policy \"members can see\" on storage.objects is 'ours'": "must be owner of relation objects",
  "create or replace function auth.uid() returns uuid language sql as 'select null::uuid'":
    "permission denied for schema auth",
};

for (const [statement, refusal] of Object.entries(NOT_HOSTED)) {
  Deno.test(`postgres may not: ${statement}`, async () => {
    await assertRejects(() => sql.unsafe(statement), Error, refusal);
  });
}

Deno.test("postgres may not create anything in the schemas auth and realtime", async () => {
  for (const schema of ["auth", "realtime"]) {
    await assertRejects(
      () => sql.unsafe(`create table ${schema}.mine (id int)`),
      Error,
      "permission denied for schema",
    );
  }
});

Deno.test("the API roles get the platform's permissive defaults, until a migration takes them back for good", async () => {
  await sql.unsafe("create table public.open (id int)");
  assertEquals((await sql`select has_table_privilege('anon', 'public.open', 'insert') as may`)[0].may, true);
  await sql.unsafe("alter default privileges in schema public revoke all on tables from anon");
  await applyPlatform(server.adminUrl);
  await sql.unsafe("create table public.shut (id int)");
  assertEquals((await sql`select has_table_privilege('anon', 'public.shut', 'insert') as may`)[0].may, false);
});

Deno.test("auth.uid, role, email and jwt read the request's claims", async () => {
  const claims = { sub: "00000000-0000-0000-0000-00000000000a", role: "authenticated", email: "ada@example.com" };
  const [row] = await sql.begin(async (transaction) => {
    await transaction`select set_config('request.jwt.claims', ${
      JSON.stringify(claims)
    }, true), set_config('role', 'authenticated', true)`;
    return await transaction`select auth.uid() as sub, auth.role() as role, auth.email() as email, auth.jwt() as jwt`;
  });
  assertEquals({ ...row }, { ...claims, jwt: claims });
  assertEquals({ ...(await sql`select auth.uid() as uid, auth.role() as role`)[0] }, { uid: null, role: null });
});

Deno.test("realtime.send stores a message for today, and a refused one is a warning, not a failure", async () => {
  await sql`select realtime.send('{"a":1}', 'changed', 'project:1')`;
  const [message] = await sql`select payload, event, topic, private, extension from realtime.messages`;
  assertEquals([message.event, message.topic, message.private, message.extension], [
    "changed",
    "project:1",
    true,
    "broadcast",
  ]);
  assert(typeof message.payload.id === "string" && message.payload.a === 1);
  await sql.begin(async (transaction) => {
    await transaction`select set_config('role', 'authenticated', true)`;
    await transaction`select realtime.send('{}', 'changed', 'project:2')`;
  });
  assertEquals((await sql`select count(*)::int as count from realtime.messages`)[0].count, 1);
});

Deno.test("broadcast_changes sends what a row was and is", async () => {
  await sql.unsafe(`
    create table public.watched (id int primary key, name text);
    create function public.tell() returns trigger language plpgsql security definer set search_path = '' as $$ begin
      perform realtime.broadcast_changes('row:' || new.id, tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
      return null; end $$;
    create trigger watched_tell after insert or update on public.watched for each row execute function public.tell();
    insert into public.watched values (7, 'a');
    update public.watched set name = 'b';`);
  const rows = await sql`select payload from realtime.messages where topic = 'row:7' order by inserted_at, event`;
  const [{ operation, record, old_record, table }] = rows.map((row) => row.payload).filter((row) =>
    row.operation === "UPDATE"
  );
  assertEquals([operation, record.name, old_record.name, table], ["UPDATE", "b", "a", "watched"]);
});

Deno.test("a database that belongs to a Supabase project is refused before anything in it is replaced", async () => {
  const admin = connect(server.adminUrl);
  await admin.unsafe("create database hosted");
  await admin.end();
  const url = server.adminUrl.replace(/\/postgres$/, "/hosted");
  const hosted = connect(url);
  await hosted.unsafe("create schema auth; create table auth.schema_migrations (version text primary key)");
  await hosted.end();
  await assertRejects(() => checkExternalDatabase(url), Error, "belongs to a Supabase project");
});

Deno.test("a role that is no superuser is told so, and of a Supabase project that it is one", async () => {
  const admin = connect(server.adminUrl);
  await admin`create role someone login password 'x'`;
  await admin`create database another`;
  await admin.end();
  for (const [name, said] of [["another", "is not a superuser"], ["hosted", "belongs to a Supabase project"]]) {
    const url = new URL(`/${name}`, server.adminUrl);
    url.username = "someone";
    url.password = "x";
    await assertRejects(() => checkExternalDatabase(url.href), Error, said);
  }
});

Deno.test("a database that takes no changes is refused as one", async () => {
  const admin = connect(server.adminUrl);
  await admin.unsafe("create database frozen");
  await admin.unsafe("alter database frozen set default_transaction_read_only = on");
  await admin.end();
  const url = server.adminUrl.replace(/\/postgres$/, "/frozen");
  await assertRejects(() => checkExternalDatabase(url), Error, "takes no changes");
});

/** Where somebody lets every connection in, hears it and closes it, as what stands before a server does that is not there. */
async function withClosedDoor(use: (url: string, knocked: Promise<void>) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const knocked = Promise.withResolvers<void>();
  const closing = (async () => {
    for await (const connection of listener) {
      // What was not read would be answered by a reset, which postgres.js passes on.
      await connection.read(new Uint8Array(4096)).catch(() => null);
      connection.close();
      knocked.resolve();
    }
  })();
  await use(`postgresql://someone:secret@127.0.0.1:${listener.addr.port}/somewhere`, knocked.promise);
  listener.close();
  await closing;
}

Deno.test("a database whose connections are closed at once does not answer, and is not waited for for ever", async () => {
  await withClosedDoor(async (url) => {
    await assertRejects(() => checkExternalDatabase(url, { patience: 300 }), Error, "it does not answer");
  });
});

Deno.test("whoever waits for a database that does not answer can stop waiting", async () => {
  await withClosedDoor(async (url, knocked) => {
    const stopped = new AbortController();
    const check = checkExternalDatabase(url, { signal: stopped.signal });
    knocked.then(() => stopped.abort(new Error("stopped")));
    await assertRejects(() => check, Error, "stopped");
  });
});

Deno.test("migrations are pushed here, whatever the environment says of other databases", async () => {
  const admin = connect(server.adminUrl);
  await admin.unsafe("create database pushed owner postgres");
  await admin.end();
  const project = join(directory, "project", "supabase");
  await Deno.mkdir(join(project, "migrations"), { recursive: true });
  await Deno.writeTextFile(join(project, "migrations", "20260101000000_one.sql"), "create table public.one ();");
  const config = await readConfig(join(project, "config.toml"));
  const url = server.databaseUrl.replace(/\/postgres$/, "/pushed");
  Deno.env.set("PGSSLROOTCERT", "/nowhere");
  Deno.env.set("PGSSLMODE", "verify-full");
  try {
    await pushChanges(await fetchCli(), url, config);
  } finally {
    Deno.env.delete("PGSSLROOTCERT");
    Deno.env.delete("PGSSLMODE");
  }
  assertEquals(await pendingChanges(url, config), []);
});

Deno.test("a clone of a migrated database has all of it, and takes the platform again", async () => {
  await sql.end();
  const admin = connect(server.adminUrl.replace(/\/postgres$/, "/template1"));
  await admin`create database copy template postgres owner postgres`;
  await admin.end();
  await applyPlatform(server.adminUrl.replace(/\/postgres$/, "/copy"));
  sql = connect(server.databaseUrl.replace(/\/postgres$/, "/copy"));
  assertEquals((await sql`select count(*)::int as count from public.people`)[0].count, 1);
  await sql.unsafe("create extension if not exists pg_trgm with schema extensions");
});
