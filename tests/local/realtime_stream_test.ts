// The stream behind the local Realtime, on stacks of its own: that it breaks off and comes back, what it leaves behind,
// and what happens where a database has none.
import { assertEquals, assertMatch } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import { connect } from "../../local/platform.ts";
import { type Postgres, startPostgres } from "../../local/postgres.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import { eventually, type Fixture, startFixture } from "./fixture.ts";
import { listen } from "./realtime_fixture.ts";

const options = {
  auth: { persistSession: false, autoRefreshToken: false },
  // A join that waits for a busy machine is no failure.
  realtime: { timeout: PATIENCE_MS },
};
const room = () => `room-${crypto.randomUUID()}`;
const clientOf = (stack: { url: string; publishableKey: string }) =>
  createClient(stack.url, stack.publishableKey, options);
const slotsOf = (sql: ReturnType<typeof connect>) =>
  sql<{ name: string; temporary: boolean; pid: number }[]>`
    select slot_name as name, temporary, active_pid as pid from pg_replication_slots`;

let stack: Fixture;
let sql: ReturnType<typeof connect>;

Deno.test.beforeAll(async () => {
  stack = await startFixture({ "config.toml": "" });
  sql = connect(stack.adminDatabaseUrl);
});
Deno.test.afterAll(async () => {
  await sql.end();
  await stack?.dispose();
});

Deno.test("there is no slot while nobody listens, and a temporary one while somebody does", async () => {
  assertEquals([...await slotsOf(sql)], []);
  await using _ = await listen(clientOf(stack), room());
  assertEquals((await slotsOf(sql)).map(({ temporary }) => temporary), [true]);
});

Deno.test("when the stream breaks off, its slot goes, clients come back by themselves and hear again", async () => {
  const topic = room();
  await using listener = await listen(clientOf(stack), topic);
  const [former] = await slotsOf(sql);
  await sql`select pg_terminate_backend(${former?.pid ?? 0})`;
  const states = await eventually(
    () => Promise.resolve(listener.states),
    (all) => all.filter((state) => state === "SUBSCRIBED").length === 2,
  );
  assertMatch(states[1] ?? "", /^CHANNEL_ERROR/);
  assertEquals(states.at(-1), "SUBSCRIBED");
  const slots = await slotsOf(sql);
  assertEquals([slots.length, slots[0]?.name === former?.name], [1, false]);
  await sql`select realtime.send('{"n":1}', 'told', ${topic}, false)`;
  assertEquals((await listener.hears(1)).length, 1);
});

Deno.test("whoever reads the tables when a message arrives finds what it tells of", async () => {
  await sql`create table public.told (n int primary key)`;
  const topic = room();
  const found: boolean[] = [];
  const reader = connect(stack.adminDatabaseUrl);
  await using listener = await listen(clientOf(stack), topic, {}, (channel, hear) => {
    channel.on("broadcast", { event: "*" }, async ({ payload }) => {
      found.push((await reader`select from public.told where n = ${payload.n}`).length === 1);
      hear(payload.n);
    });
  });
  for (let n = 0; n < 200; n++) {
    await sql.begin(async (tx) => {
      await tx`insert into public.told values (${n})`;
      await tx`select realtime.send(${tx.json({ n })}, 'told', ${topic}, false)`;
    });
  }
  await listener.hears(200);
  await reader.end();
  assertEquals([found.length, found.filter((is) => !is)], [200, []]);
});

Deno.test("who subscribes while the connection ends that looks at the table joins again, and hears", async () => {
  await sql`create table public.looked_at (n int primary key)`;
  await sql`grant select on public.looked_at to anon`;
  await sql`alter publication supabase_realtime add table public.looked_at`;
  let joining: ReturnType<typeof listen> | undefined;
  const holder = connect(stack.adminDatabaseUrl);
  await holder.begin(async (tx) => {
    await tx`lock table pg_publication_rel in access exclusive mode`;
    joining = listen(clientOf(stack), room(), {}, (channel, hear) => {
      // deno-lint-ignore no-explicit-any
      channel.on("postgres_changes" as any, { event: "*", schema: "public", table: "looked_at" }, hear);
    });
    const looking = () =>
      tx`select pid from pg_locks where relation = 'pg_publication_rel'::regclass and not granted
      and pid in (select pid from pg_stat_activity where query like '%pg_partition_ancestors%')`;
    const [row] = await eventually(looking, (rows) => rows.length === 1);
    await tx`select pg_terminate_backend(${row?.pid})`;
  });
  await holder.end();
  await using listener = await joining!;
  await eventually(
    () => Promise.resolve(listener.states),
    (all) => all.filter((state) => state === "SUBSCRIBED").length === 2,
  );
  let n = 0;
  await eventually(async () => {
    await sql`insert into public.looked_at values (${n++})`;
    return listener.heard;
  }, (heard) => heard.length > 0);
  assertEquals(listener.heard.length > 0, true);
});

/** A stack over a PostgreSQL of its own, which outlives it. */
async function overOwnDatabase(
  settings: Parameters<typeof startPostgres>[2],
  test: (stack: Stack, url: string, server: Postgres) => Promise<void>,
) {
  const directory = await Deno.makeTempDir({ prefix: "genesis-test-" });
  await Deno.chmod(directory, 0o755);
  const project = `${directory}/supabase`;
  await Deno.mkdir(project);
  await Deno.writeTextFile(`${project}/config.toml`, "");
  const server = await startPostgres(directory, freePort(), settings);
  const stack = await startStack({
    port: freePort(),
    directory: `${directory}/state`,
    project,
    databaseUrl: server.adminUrl,
  });
  try {
    await test(stack, server.adminUrl, server);
  } finally {
    await stack.stop();
    await server.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a stack that stops ends its connections and takes its slot along", async () => {
  await overOwnDatabase({}, async (stack, url) => {
    await using listener = await listen(clientOf(stack), room());
    const admin = connect(url);
    assertEquals((await slotsOf(admin)).length, 1);
    await stack.stop();
    assertEquals([...await eventually(() => slotsOf(admin), (slots) => slots.length === 0)], []);
    await admin.end();
    await eventually(() => Promise.resolve(listener.states), (all) => all.length > 1);
    assertMatch(listener.states[1] ?? "", /^CHANNEL_ERROR/);
  });
});

Deno.test("a PostgreSQL that shuts down does not wait for those who listen", async () => {
  await overOwnDatabase({}, async (stack, _url, server) => {
    await using _listener = await listen(clientOf(stack), room());
    // After ten seconds it is told to leave everything as it is.
    await server.stop();
    const [, log = ""] = /its log is (.+)$/.exec(await server.died) ?? [];
    assertEquals((await Deno.readTextFile(log)).match(/received \w+ shutdown request/g), [
      "received fast shutdown request",
    ]);
  });
});

Deno.test("who loses the right to a topic while their join waits for the stream is not let in", async () => {
  await overOwnDatabase({}, async (stack, url) => {
    const admin = connect(url, { max: 2 });
    await admin.unsafe(`
      create table public.members (name text);
      insert into public.members values ('anybody');
      grant select on public.members to anon;
      create policy listen on realtime.messages for select to anon using (exists (select from public.members))`);
    const client = clientOf(stack);
    let joining: ReturnType<typeof listen> | undefined;
    await admin.begin(async (tx) => {
      // The stream begins when this transaction has ended.
      await tx`create table public.unfinished ()`;
      joining = listen(client, room(), { private: true });
      await eventually(() => slotsOf(admin), (slots) => slots.length === 1);
      await admin`delete from public.members`;
    });
    await using listener = await joining!;
    assertMatch(listener.states[0] ?? "", /^CHANNEL_ERROR Unauthorized/);
    await admin.end();
  });
});

Deno.test("who loses the right to a topic while their join looks at what it asks for is not let in", async () => {
  await overOwnDatabase({}, async (stack, url) => {
    const admin = connect(url, { max: 2 });
    // As long as there are members, each look at a filter takes its time.
    await admin.unsafe(`
      create table public.members (name text);
      insert into public.members values ('anybody');
      grant select on public.members to anon;
      create policy listen on realtime.messages for select to anon using (exists (select from public.members));
      create sequence public.looks;
      create function public.takes_time() returns boolean language sql volatile as $$
        select nextval('public.looks') > 0 and case when exists (select from public.members)
          then pg_sleep(0.2) is not null else true end $$;
      create domain public.slow_text as text check (public.takes_time());
      create table public.slow (id bigint primary key, t public.slow_text);
      grant select on public.slow to anon;
      alter publication supabase_realtime add table public.slow`);
    const config = { private: true, postgres_changes_options: { wait: true, timeout: 20_000 } };
    const joining = listen(clientOf(stack), room(), config, (channel, hear) => {
      for (let value = 0; value < 20; value++) {
        channel.on("postgres_changes", { event: "*", schema: "public", table: "slow", filter: `t=eq.${value}` }, hear);
      }
    });
    const looks = () => admin<{ is_called: boolean }[]>`select is_called from public.looks`;
    await eventually(looks, ([row]) => row?.is_called === true);
    await admin`delete from public.members`;
    await using listener = await joining;
    assertMatch(listener.states[0] ?? "", /^CHANNEL_ERROR Unauthorized/);
    await admin.end();
  });
});

Deno.test("on a database that writes no logical log, Realtime is off with a sentence, and the rest works", async () => {
  await overOwnDatabase({ wal_level: "replica" }, async (off) => {
    const [sentence = ""] = off.notices;
    assertMatch(sentence, /^Realtime is off: .*wal_level = replica\. Set wal_level = logical .*\.$/);
    const client = clientOf(off);
    await using listener = await listen(client, room());
    assertMatch(listener.states[0] ?? "", /^CHANNEL_ERROR/);
    const answer = await fetch(`${off.url}/realtime/v1/websocket?apikey=${off.publishableKey}`);
    assertEquals([answer.status, await answer.json()], [503, { error: sentence }]);
    const { error } = await client.auth.signUp({ email: "ada@example.com", password: "a-long-password" });
    assertEquals(error, null);
  });
});
