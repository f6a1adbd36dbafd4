// postgres_changes on the local Realtime: what arrives, for whom, and what filters let through.
import { assertEquals, assertMatch } from "@std/assert";
import { addMember, anonymous, createProject, type Person, signUp, worker } from "../support/actors.ts";
import {
  eventually,
  inDatabase,
  listen,
  type Listener,
  listenToChanges,
  type Message,
  settled,
} from "./realtime_fixture.ts";

let owner: Person;
let viewer: Person;
let stranger: Person;
let projectId: string;

Deno.test.beforeAll(async () => {
  [owner, viewer, stranger] = await Promise.all([signUp(), signUp(), signUp()]);
  projectId = await createProject(owner);
  await addMember(owner, projectId, viewer, "viewer");
});

async function createWorkflow(name: string): Promise<string> {
  const { data, error } = await owner.client.from("workflows")
    .insert({ project_id: projectId, name, definition: { nodes: [], edges: [] } }).select("id").single();
  if (error) throw new Error(error.message);
  return data.id;
}

const names = (messages: Message[]) => messages.map((message) => message.new.name ?? message.eventType);

Deno.test("an insert, an update and a delete arrive with their rows, as JSON, with times as ISO 8601", async () => {
  await using listener = await listenToChanges(viewer.client, {
    table: "workflows",
    filter: `project_id=eq.${projectId}`,
  });
  assertEquals([listener.system.status, listener.system.message], ["ok", "Subscribed to PostgreSQL"]);
  const id = await createWorkflow("First");
  await owner.client.from("workflows").update({ name: "Second" }).eq("id", id);
  const [inserted, updated] = await listener.hears(2);
  const { data: row } = await owner.client.from("workflows").select("*").eq("id", id).single();
  assertEquals([inserted.eventType, inserted.new.name, inserted.errors], ["INSERT", "First", null]);
  assertEquals([updated.eventType, updated.new, updated.old], ["UPDATE", {
    ...row,
    created_at: inserted.new.created_at,
    updated_at: updated.new.updated_at,
  }, { id }]);
  assertMatch(updated.new.updated_at, /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
  assertMatch(updated.commit_timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

Deno.test("a delete says no more than the key", async () => {
  const id = await createWorkflow("Short-lived");
  await using listener = await listenToChanges(viewer.client, { event: "DELETE", table: "workflows" });
  await owner.client.from("workflows").delete().eq("id", id);
  // Others delete theirs meanwhile, which everybody hears.
  const own = () => Promise.resolve(listener.heard.filter(({ old }) => old.id === id));
  const [message] = await eventually(own, ({ length }) => length > 0);
  assertEquals([message.eventType, message.old, message.new], ["DELETE", { id }, {}]);
});

Deno.test("a stranger and someone without an account get no insert and no update of any row", async () => {
  await using first = await listenToChanges(stranger.client, { table: "workflows" });
  await using second = await listenToChanges(anonymous(), { table: "workflows" });
  await using third = await listenToChanges(viewer.client, { table: "workflows", filter: "name=eq.Seen by members" });
  const id = await createWorkflow("Seen by members");
  await owner.client.from("workflows").update({ description: "x" }).eq("id", id);
  assertEquals((await third.hears(2)).length, 2);
  // A table of which not even the key may be read says that there was something, and not what.
  const unread = second.heard.every(({ errors, new: row }) =>
    errors?.[0] === "Error 401: Unauthorized" && Object.keys(row).length === 0
  );
  // A deletion is told to everybody, and others delete theirs meanwhile.
  const rows = first.heard.filter(({ eventType }) => eventType !== "DELETE");
  assertEquals([rows, unread], [[], true]);
});

Deno.test("a removed member gets nothing more of what they could see before", async () => {
  const former = await signUp();
  await addMember(owner, projectId, former, "viewer");
  await using listener = await listenToChanges(former.client, { event: "INSERT", table: "workflows" });
  await createWorkflow("Before");
  assertEquals(names(await listener.hears(1)), ["Before"]);
  await owner.client.from("project_collaborators").delete().eq("user_id", former.id);
  await createWorkflow("After");
  await settled(owner.client, projectId);
  assertEquals(names(listener.heard), ["Before"]);
});

Deno.test("among many subscribers each gets what they may see, and nobody another's", async () => {
  const people = await Promise.all(Array.from({ length: 8 }, () => signUp()));
  const projects = await Promise.all(people.map((person) => createProject(person)));
  const listeners = await Promise.all(
    people.map(({ client }) => listenToChanges(client, { event: "INSERT", table: "agents" })),
  );
  await inDatabase((sql) =>
    sql`
    insert into public.agents (project_id, name, type)
    select p.id, p.id || ' ' || n, 'tester' from generate_series(1, 20) as n, unnest(${projects}::uuid[]) as p (id)`
  );
  for (const [index, listener] of listeners.entries()) {
    const heard = await listener.hears(20);
    assertEquals(names(heard), Array.from({ length: 20 }, (_, n) => `${projects[index]} ${n + 1}`));
    await listener[Symbol.asyncDispose]();
  }
});

Deno.test("a worker gets every row", async () => {
  await using listener = await listenToChanges(worker(), {
    event: "INSERT",
    table: "workflows",
    filter: "name=eq.For all",
  });
  await createWorkflow("For all");
  assertEquals((await listener.hears(1)).length, 1);
});

Deno.test("a channel gets only the kind of event that it asked for", async () => {
  await using listener = await listenToChanges(owner.client, { event: "UPDATE", table: "workflows" });
  const id = await createWorkflow("Kind");
  await owner.client.from("workflows").update({ name: "Kind of update" }).eq("id", id);
  assertEquals(names(await listener.hears(1)), ["Kind of update"]);
});

Deno.test("without a table the whole schema is heard", async () => {
  await using listener = await listenToChanges(owner.client, { event: "INSERT" });
  await createWorkflow("Anywhere");
  await owner.client.from("chat_sessions").insert({ project_id: projectId });
  // Other tests write to tables of their own meanwhile.
  const own = () => Promise.resolve(listener.heard.filter(({ new: row }) => row.project_id === projectId));
  const heard = await eventually(own, ({ length }) => length >= 2);
  assertEquals(heard.map(({ table }) => table), ["workflows", "chat_sessions"]);
});

const filters: [string, string[]][] = [
  ["name=eq.apple", ["apple"]],
  ["name=neq.apple", ["banana", "cherry, ripe"]],
  ["name=gt.apple", ["banana", "cherry, ripe"]],
  ["name=lte.banana", ["apple", "banana"]],
  ["name=in.(apple,banana)", ["apple", "banana"]],
  ['name=in.("cherry, ripe",banana)', ["banana", "cherry, ripe"]],
  ["name=like.%an%", ["banana"]],
  ["name=ilike.APP%", ["apple"]],
  ["name=match.^[ab]", ["apple", "banana"]],
  ["name=not.eq.apple", ["banana", "cherry, ripe"]],
  ["name=not.in.(apple,banana)", ["cherry, ripe"]],
  ["description=is.null", ["apple", "banana", "cherry, ripe"]],
  ["description=not.is.null", []],
  ["description=eq.x", []],
  ["description=neq.x", []],
  ["description=isdistinct.x", ["apple", "banana", "cherry, ripe"]],
  ["name=gt.apple,name=lt.cherry", ["banana"]],
  ["created_at=gt.2020-01-01", ["apple", "banana", "cherry, ripe"]],
];
Deno.test("filters mean what PostgreSQL's operators mean, and null matches nothing", async (test) => {
  const listeners: Listener[] = [];
  for (const [filter] of filters) {
    listeners.push(await listenToChanges(owner.client, { event: "INSERT", table: "workflows", filter }));
  }
  for (const name of ["apple", "banana", "cherry, ripe"]) await createWorkflow(name);
  await settled(owner.client, projectId);
  for (const [index, [filter, expected]] of filters.entries()) {
    await test.step(filter, () => {
      const listener = listeners[index];
      assertEquals(names(listener?.heard ?? []), expected);
    });
  }
  await owner.client.removeAllChannels();
  await owner.client.realtime.disconnect();
});

const refusals: [string, Parameters<typeof listenToChanges>[1], RegExp][] = [
  ["a table that is not published", { table: "execution_events" }, /^Unable to subscribe to changes/],
  ["a table that does not exist", { table: "nowhere" }, /^Unable to subscribe to changes/],
  [
    "a column that does not exist",
    { table: "workflows", filter: "nothing=eq.1" },
    /^invalid column for filter nothing/,
  ],
  ["a value that does not fit", { table: "workflows", filter: "id=eq.1" }, /^invalid value for filter id/],
  ["an operator that does not exist", { table: "workflows", filter: "id=is_like.1" }, /^Error parsing `filter` params/],
  ["SQL", { table: "workflows", filter: "name=eq.x' or 'a'='a" }, /^Subscribed/],
];
for (const [what, filter, message] of refusals) {
  Deno.test(`a subscription to ${what} is answered in words`, async () => {
    await using listener = await listenToChanges(owner.client, filter);
    assertMatch(listener.system.message, message);
    await createWorkflow("Nothing to see");
    await settled(owner.client, projectId);
    assertEquals(listener.heard, []);
  });
}

/** Joins for the changes of a table with `wait`. */
const listenWaiting = (table: string) =>
  listen(
    viewer.client,
    `waiting-${crypto.randomUUID()}`,
    { postgres_changes_options: { wait: true } },
    (channel, hear) => channel.on("postgres_changes", { event: "INSERT", schema: "public", table }, hear),
  );

Deno.test("with wait a channel is joined when its changes flow: what is committed at once arrives", async () => {
  await using listener = await listenWaiting("workflows");
  assertEquals(listener.states, ["SUBSCRIBED"]);
  await createWorkflow("At once");
  assertEquals(names(await listener.hears(1)), ["At once"]);
});

Deno.test("with wait a subscription that cannot be is a join that is refused, in words", async () => {
  await using listener = await listenWaiting("no_such_table");
  assertMatch(listener.states[0] ?? "", /^CHANNEL_ERROR .*RealtimeDisabledForConfiguration: .*no_such_table/);
});

Deno.test("with select only those columns and the key are sent", async () => {
  await using listener = await listenToChanges(owner.client, { event: "INSERT", table: "workflows", select: ["name"] });
  const id = await createWorkflow("Selected");
  assertEquals((await listener.hears(1)).map((message) => message.new), [{ id, name: "Selected" }]);
});

Deno.test("each subscription of a channel gets the columns that it asked for, and no others", async () => {
  const asked = [{ select: ["name"] }, { select: ["description"] }, {}];
  const heard: Message[][] = asked.map(() => []);
  const said = Promise.withResolvers<void>();
  await using _listener = await listen(owner.client, `selects-${crypto.randomUUID()}`, {}, (channel) => {
    // deno-lint-ignore no-explicit-any
    channel.on("system" as any, {}, () => said.resolve());
    for (const [index, select] of asked.entries()) {
      const filter = { event: "INSERT", schema: "public", table: "workflows", ...select } as const;
      channel.on("postgres_changes", filter, (message) => heard[index]?.push(message));
    }
  });
  await said.promise;
  const id = await createWorkflow("Selected");
  await settled(owner.client, projectId);
  const [first, second, third] = heard.map((messages) => messages.map((message) => message.new));
  assertEquals([first, second], [[{ id, name: "Selected" }], [{ id, description: null }]]);
  assertEquals([third?.length, third?.[0].name, third?.[0].project_id], [1, "Selected", projectId]);
});

Deno.test("the rows of one transaction arrive in their order, complete, and none of one that was undone", async () => {
  await using listener = await listenToChanges(owner.client, { event: "INSERT", table: "agents" });
  const insert = (prefix: string, fail: boolean) =>
    inDatabase((sql) =>
      sql.begin(async (tx) => {
        await tx`
          insert into public.agents (project_id, name, type)
          select ${projectId}, ${prefix} || n, 'tester' from generate_series(1, 500) as n`;
        if (fail) throw new Error("undone");
      }).catch(() => {})
    );
  await insert("undone ", true);
  await insert("done ", false);
  assertEquals(names(await listener.hears(500)), Array.from({ length: 500 }, (_, n) => `done ${n + 1}`));
});

Deno.test("who subscribes to one table does not wait for another one that is being dropped", async () => {
  await inDatabase(async (sql) => {
    await sql`create table public.leaving (id int primary key)`;
    await sql`alter publication supabase_realtime add table public.leaving`;
    // Who waits for it after all is heard to fail.
    await sql`set idle_in_transaction_session_timeout = '30s'`;
    await sql.begin(async (tx) => {
      await tx`drop table public.leaving`;
      await using listener = await listenToChanges(owner.client, { table: "workflows" });
      assertEquals(listener.system.message, "Subscribed to PostgreSQL");
    });
  });
});

Deno.test("a change is told although the connection ends that asks who may see it", async () => {
  await inDatabase(async (sql) => {
    await sql.unsafe(`
      create table public.asked ();
      create table public.told (id int primary key);
      alter table public.told enable row level security;
      create policy read on public.told for select using (not exists (select from public.asked));
      grant select on public.told, public.asked to authenticated;
      alter publication supabase_realtime add table public.told`);
    try {
      await using listener = await listenToChanges(owner.client, { table: "told" });
      await inDatabase((holder) =>
        holder.begin(async (tx) => {
          await tx`lock table public.asked in access exclusive mode`;
          await sql`insert into public.told values (1)`;
          const asking = () => sql`select pid from pg_locks where relation = 'public.asked'::regclass and not granted`;
          const [row] = await eventually(asking, (rows) => rows.length === 1);
          await sql`select pg_terminate_backend(${row?.pid})`;
        })
      );
      assertEquals((await listener.hears(1)).map(({ new: { id } }) => id), [1]);
    } finally {
      await sql`drop table public.told, public.asked`;
    }
  });
});

Deno.test("columns and values of every kind arrive as their JSON", async () => {
  await inDatabase(async (sql) => {
    await sql.unsafe(`
      create table if not exists public.kinds (
        id bigint primary key, n numeric, f double precision, b boolean, t text, j jsonb, a text[], d date, by bytea,
        hidden text);
      alter table public.kinds replica identity full;
      revoke all on public.kinds from authenticated;
      grant select (id, n, f, b, t, j, a, d, by) on public.kinds to authenticated;
      alter publication supabase_realtime add table public.kinds`);
  });
  await using listener = await listenToChanges(owner.client, { table: "kinds" });
  await inDatabase(async (sql) => {
    await sql`insert into public.kinds values
      (1, 1.50, 0.5, true, 'é', '{"x":[1]}', '{"a,b",c}', '2026-01-31', '\\x00ff', 'hidden')`;
    await sql`update public.kinds set n = null`;
    await sql`delete from public.kinds`;
  });
  const [inserted, updated, deleted] = await listener.hears(3);
  await inDatabase((sql) => sql`drop table public.kinds`);
  const row = {
    id: 1,
    n: 1.5,
    f: 0.5,
    b: true,
    t: "é",
    j: { x: [1] },
    a: ["a,b", "c"],
    d: "2026-01-31",
    by: "\\x00ff",
  };
  assertEquals([inserted.new, updated.new, updated.old, deleted.old], [
    row,
    { ...row, n: null },
    row,
    { ...row, n: null },
  ]);
});
