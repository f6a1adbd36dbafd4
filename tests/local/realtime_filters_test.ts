// Filters of postgres_changes on the local Realtime: what supabase-js writes, what is refused, and that one subscriber's
// filter costs nobody else a change.
import { assertEquals, assertMatch } from "@std/assert";
import { postgresChangesFilter } from "@supabase/supabase-js";
import { anonymous, createProject, signUp } from "../support/actors.ts";
import { eventually, inDatabase, listen, type Listener, listenToChanges, type Message } from "./realtime_fixture.ts";

/** A published table with a text, a json and a number, which anybody may read. */
async function useTable(): Promise<AsyncDisposable & { name: string; insert(...texts: string[]): Promise<unknown> }> {
  const name = `filtered_${crypto.randomUUID().replaceAll("-", "")}`;
  await inDatabase((sql) =>
    sql.unsafe(`
      create table public.${name} (id bigint generated always as identity primary key, t text, j json, n integer);
      grant select on public.${name} to anon;
      alter publication supabase_realtime add table public.${name}`)
  );
  return {
    name,
    insert: (...texts) =>
      inDatabase((sql) => sql`insert into ${sql("public." + name)} (t) select unnest(${texts}::text[])`),
    async [Symbol.asyncDispose]() {
      await inDatabase((sql) => sql.unsafe(`drop table public.${name}`));
    },
  };
}

const texts = (messages: Message[]) => messages.map((message) => message.new.t);

const values = [
  "a,b",
  "(a)",
  "a)b",
  'say "hi"',
  "back\\slash",
  " lead",
  "trail ",
  "plain",
  "",
  "null",
  "it's",
  "a(b",
  'x"y',
  "\\",
  "{a}",
  "NULL",
];
const others = (value: string) => values.filter((each) => each !== value);
const builds: [string, (value: string) => { build(): string }, (value: string) => string[]][] = [
  ["eq", (value) => postgresChangesFilter().eq("t", value), (value) => [value]],
  ["neq", (value) => postgresChangesFilter().neq("t", value), others],
  ["in", (value) => postgresChangesFilter().in("t", [value, "zzzz"]), (value) => [value]],
  ["not in", (value) => postgresChangesFilter().not("t", "in", [value, "zzzz"]), others],
  ["like", (value) => postgresChangesFilter().like("t", value.replace(/([\\%_])/g, "\\$1")), (value) => [value]],
  ["two filters", (value) => postgresChangesFilter().eq("t", value).isDistinct("t", 'a,b"('), (value) => [value]],
];
for (const [kind, build, expected] of builds) {
  Deno.test(`a filter built by supabase-js means the value that was given: ${kind}`, async () => {
    await using table = await useTable();
    const client = anonymous();
    const listeners: Listener[] = [];
    for (const value of values) {
      listeners.push(await listenToChanges(client, { table: table.name, filter: build(value).build() }));
    }
    await using last = await listenToChanges(client, { table: table.name, filter: "t=eq.the last" });
    await table.insert(...values, "the last");
    await last.hears(1);
    const heard = listeners.map((listener) => texts(listener.heard).filter((text) => text !== "the last"));
    assertEquals(heard, values.map(expected));
  });
}

const refused: [string, RegExp][] = [
  ["t=match.(", /^invalid value for filter t: invalid regular expression/],
  ["t=not.imatch.*", /^invalid value for filter t: invalid regular expression/],
  ["t=like.x\\", /^invalid value for filter t: LIKE pattern must not end/],
  ["t=is.true", /^invalid value for filter t: argument of IS TRUE must be type boolean/],
  ["n=is.unknown", /^invalid value for filter n: argument of IS UNKNOWN must be type boolean/],
  ["j=eq.{}", /^invalid value for filter j: operator does not exist: json = json/],
  ["j=in.({})", /^invalid value for filter j: operator does not exist: json = json/],
  ["n=isdistinct.x", /^invalid value for filter n: invalid input syntax for type integer/],
  ["t=eq.\u0000", /^invalid value for filter t: unsupported Unicode escape sequence/],
  ["t=eq.\ud800", /^invalid value for filter t: /],
  ["*", /^Error parsing `filter` params/],
  ["t=constructor.x", /^Error parsing `filter` params/],
  ["t=eq.a,,t=eq.b", /^Error parsing `filter` params/],
];
for (const [filter, message] of refused) {
  Deno.test(`the filter ${JSON.stringify(filter)} is refused in words, and others go on to hear`, async () => {
    await using table = await useTable();
    const client = anonymous();
    await using listener = await listenToChanges(client, { table: table.name });
    await using wrong = await listenToChanges(client, { table: table.name, filter });
    assertEquals(wrong.system.status, "error");
    assertMatch(wrong.system.message, message);
    await table.insert("heard");
    assertEquals(texts(await listener.hears(1)), ["heard"]);
  });
}

Deno.test("a filter that took too long once is tried again: the machine may have stood still", async () => {
  const name = `halting_${crypto.randomUUID().replaceAll("-", "")}`;
  // Whatever first becomes a value of this type takes longer than a filter may.
  await inDatabase((sql) =>
    sql.unsafe(`
      create sequence public.${name}_calls;
      create function public.${name}_passes() returns boolean language sql volatile as $$
        select case when nextval('public.${name}_calls') = 1 then pg_sleep(3) is not null else true end $$;
      create domain public.${name}_text as text check (public.${name}_passes());
      create table public.${name} (id bigint generated always as identity primary key, t public.${name}_text);
      grant select on public.${name} to anon;
      alter publication supabase_realtime add table public.${name}`)
  );
  try {
    await using listener = await listenToChanges(anonymous(), { table: name, filter: "t=eq.x" });
    assertEquals(listener.system.message, "Subscribed to PostgreSQL");
  } finally {
    await inDatabase((sql) =>
      sql.unsafe(`
        drop table public.${name};
        drop domain public.${name}_text;
        drop function public.${name}_passes();
        drop sequence public.${name}_calls`)
    );
  }
});

/** Hears what a channel is told of its subscription, and how it went on. */
async function subscribe(table: string, filters: (string | undefined)[]) {
  const told: Message[] = [];
  const listener = await listen(anonymous(), `filters-${crypto.randomUUID()}`, {}, (channel, hear) => {
    // deno-lint-ignore no-explicit-any
    channel.on("system" as any, {}, (message: Message) => told.push(message));
    for (const filter of filters) {
      channel.on("postgres_changes", { event: "*", schema: "public", table, ...(filter && { filter }) }, hear);
    }
  });
  const tells = (count: number) => eventually(() => Promise.resolve(told), (all) => all.length >= count);
  await tells(1);
  return Object.assign(listener, { tells });
}

/** Takes more than anybody waits for on a long text of `a`. */
const SLOW = "t=match.^((a*)(a*)(a*)\\2\\3\\4)+[ab]\\1$";

const failures: [string, string, (table: string) => Promise<unknown>, RegExp][] = [
  [
    "fails",
    "n=gt.0",
    (table) => inDatabase((sql) => sql.unsafe(`alter table public.${table} alter n type json using null`)),
    /operator does not exist: json > json/,
  ],
  ["takes too long", SLOW, () => Promise.resolve(), /statement timeout/],
];
for (const [what, filter, prepare, why] of failures) {
  Deno.test(`a filter that ${what} ends its own subscription, and costs nobody a change`, async () => {
    await using table = await useTable();
    await using listener = await subscribe(table.name, ["t=neq.x"]);
    await using guilty = await subscribe(table.name, [filter, "t=eq.other"]);
    await prepare(table.name);
    const long = "a".repeat(400);
    await table.insert("first", long, "other");
    assertEquals(texts(await listener.hears(3)), ["first", long, "other"]);
    assertEquals(texts(await guilty.hears(1)), ["other"]);
    const [, ended] = await guilty.tells(2);
    assertEquals([ended.extension, ended.status], ["postgres_changes", "error"]);
    assertMatch(ended.message, why);
    await table.insert("afterwards");
    assertEquals(texts(await listener.hears(4)).at(-1), "afterwards");
  });
}

/** So random that PostgreSQL stores it aside, and the stream leaves it out where it did not change. */
const LARGE = "string_agg(md5(n::text), '')";
const onUntold = ["t=is.null", "t=not.is.not_null", "t=isdistinct.x", "n=isdistinct.2"];

Deno.test("a filter on a column that the stream does not tell of lets nothing through", async () => {
  await using table = await useTable();
  await using all = await subscribe(table.name, [undefined]);
  await using deaf = await subscribe(table.name, onUntold.slice(0, 3));
  await using alsoDeaf = await listenToChanges(anonymous(), {
    event: "DELETE",
    table: table.name,
    filter: onUntold[3],
  });
  await inDatabase(async (sql) => {
    await sql.unsafe(`insert into public.${table.name} (t, n) select 'x', 1`);
    await sql.unsafe(`update public.${table.name} set t = (select ${LARGE} from generate_series(1, 3000) as n)`);
    await sql.unsafe(`update public.${table.name} set n = 3`);
    await sql.unsafe(`delete from public.${table.name}`);
  });
  await all.hears(4);
  // The second alone: there the text is told, and is another.
  assertEquals([(await deaf.hears(1)).map(({ eventType }) => eventType), alsoDeaf.heard], [["UPDATE"], []]);
});

Deno.test("with the whole row as its identity a filter looks at a large text that did not change", async () => {
  await using table = await useTable();
  await inDatabase(async (sql) => {
    await sql.unsafe(`alter table public.${table.name} replica identity full`);
    await sql.unsafe(`insert into public.${table.name} (t) select ${LARGE} from generate_series(1, 3000) as n`);
  });
  await using listener = await subscribe(table.name, ["t=gt.0"]);
  await inDatabase((sql) => sql.unsafe(`update public.${table.name} set n = 3`));
  assertEquals((await listener.hears(1)).length, 1);
});

Deno.test("a filter is tried on no row that its subscriber may not see: that it took long would tell of the row", async () => {
  const [owner, stranger] = [await signUp("owner"), await signUp("stranger")];
  const project = await createProject(owner);
  const told: Message[] = [];
  const slow = "((a*)(a*)(a*)\\2\\3\\4)+[ab]\\1$";
  await using guessing = await listen(stranger.client, `guess-${crypto.randomUUID()}`, {}, (channel, hear) => {
    // deno-lint-ignore no-explicit-any
    channel.on("system" as any, {}, (message: Message) => told.push(message));
    const filter = `description=match.^secret${slow}`;
    channel.on("postgres_changes", { event: "*", schema: "public", table: "projects", filter }, hear);
  });
  await eventually(() => Promise.resolve(told), (all) => all.length === 1);
  await using watching = await listenToChanges(owner.client, { table: "projects", filter: `id=eq.${project}` });
  const description = `secret${"a".repeat(400)}`;
  await owner.client.from("projects").update({ description }).eq("id", project);
  assertEquals((await watching.hears(1)).map((message) => message.new.description), [description]);
  // The next change comes after all that is said about the one before.
  await owner.client.from("projects").update({ description: "over" }).eq("id", project);
  assertEquals((await watching.hears(2)).length, 2);
  assertEquals(told.map(({ status }) => status), ["ok"]);
  assertEquals(guessing.heard, []);
});
