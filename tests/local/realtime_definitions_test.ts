// postgres_changes on the local Realtime beside changes of definitions: the stream tells of a table as it was at the moment
// of each change, and the catalog can only say what it is now.
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { visibleTo } from "../../local/realtime/visibility.ts";
import { anonymous } from "../support/actors.ts";
import { eventually, inDatabase, type Listener, listenToChanges } from "./realtime_fixture.ts";

interface Table extends AsyncDisposable {
  schema: string;
  name: string;
  /** Statements of one transaction, in which `t` stands for the table. */
  change(...statements: string[]): Promise<void>;
}

/** A published table that anybody may read by a policy, in a schema that nobody else listens to. */
async function useTable(columns = "id integer primary key, note text"): Promise<Table> {
  const schema = `defined_${crypto.randomUUID().replaceAll("-", "")}`;
  const change = (...statements: string[]) =>
    inDatabase((sql) =>
      sql.begin(async (tx) => {
        await tx.unsafe(`set local search_path = ${schema}`);
        for (const statement of statements) await tx.unsafe(statement);
      })
    );
  await change(
    `create schema ${schema}`,
    `grant usage on schema ${schema} to anon`,
    `create table t (${columns})`,
    `alter table t enable row level security`,
    `create policy "anybody can read all" on t for select to anon using (true)`,
    `grant select on t to anon`,
    `alter publication supabase_realtime add table t`,
  );
  return {
    schema,
    name: "t",
    change,
    async [Symbol.asyncDispose]() {
      await inDatabase((sql) => sql.unsafe(`drop schema ${schema} cascade`));
    },
  };
}

const listenTo = ({ schema, name }: Table, filter?: string) =>
  listenToChanges(anonymous(), { schema, table: name, filter });
const rows = async (listener: Listener, count: number) =>
  (await listener.hears(count)).map((message) => [message.eventType, message.new]);

Deno.test("a change is told under the names that its columns had, also where the key has another one since", async () => {
  await using table = await useTable();
  await using listener = await listenTo(table);
  await table.change(
    "insert into t values (1, 'a')",
    "alter table t rename id to number",
    "alter table t rename note to remark",
    "insert into t values (2, 'b')",
    "alter table t rename number to id",
    "update t set remark = 'c' where id = 2",
  );
  assertEquals(await rows(listener, 3), [
    ["INSERT", { id: 1, note: "a" }],
    ["INSERT", { number: 2, remark: "b" }],
    ["UPDATE", { id: 2, remark: "c" }],
  ]);
});

Deno.test("names of a table that has lost a column are found as well, once its changes flow", async () => {
  await using table = await useTable("gone text, id integer primary key, note text");
  await table.change("alter table t drop gone");
  await using listener = await listenTo(table);
  await table.change("insert into t values (1, 'a')");
  await listener.hears(1);
  await table.change("insert into t values (2, 'b')", "alter table t rename id to number");
  assertEquals(await rows(listener, 2), [["INSERT", { id: 1, note: "a" }], ["INSERT", { id: 2, note: "b" }]]);
});

Deno.test("a change is told in the types that its columns had", async () => {
  await using table = await useTable("id integer primary key, mood text");
  await using listener = await listenTo(table);
  await table.change(
    "insert into t values (1, 'glad')",
    "create type mood as enum ('glad')",
    "alter table t alter mood type mood using mood::mood",
    "insert into t values (2, 'glad')",
    "alter table t alter mood type integer using length(mood::text)",
    "drop type mood",
    "insert into t values (3, 5)",
  );
  assertEquals(await rows(listener, 3), [
    ["INSERT", { id: 1, mood: "glad" }],
    ["INSERT", { id: 2, mood: "glad" }],
    ["INSERT", { id: 3, mood: 5 }],
  ]);
});

Deno.test("a value is told that its domain would not take any more", async () => {
  await using table = await useTable("id integer primary key, small integer");
  await table.change(
    "create domain low as integer",
    "create domain lower as low",
    "alter table t alter small type lower",
  );
  await using listener = await listenTo(table, "small=gt.4");
  await table.change(
    "insert into t values (1, 9)",
    "alter domain lower add constraint small check (value < 5) not valid",
  );
  assertEquals(await rows(listener, 1), [["INSERT", { id: 1, small: 9 }]]);
});

Deno.test("a filter looks at a column under the name, and in the type, that it had at the change", async () => {
  await using table = await useTable();
  await using listener = await listenTo(table, "note=eq.a");
  await table.change(
    "insert into t values (1, 'a'), (2, 'b')",
    "alter table t alter note type integer using ascii(note)",
    "alter table t rename note to code",
  );
  assertEquals(await rows(listener, 1), [["INSERT", { id: 1, note: "a" }]]);
});

Deno.test("a column that was dropped since is left out, and its change told", async () => {
  await using table = await useTable();
  await using listener = await listenTo(table, "note=eq.a");
  await table.change("insert into t values (1, 'a')", "alter table t drop note");
  assertEquals(await rows(listener, 1), [["INSERT", { id: 1 }]]);
});

const untold: [string, string, string[], unknown[]][] = [
  [
    "a key that had a name for a moment only",
    "gone text, id integer primary key, note text",
    [
      "alter table t drop gone",
      "alter table t rename id to passing",
      "insert into t values (1, 'a')",
      "alter table t rename passing to id",
    ],
    [],
  ],
  [
    "a value that its type does not take any more, after those beside it",
    "id integer primary key, place regclass",
    [
      "create table passing ()",
      "insert into t values (1, 'pg_class'), (2, 'passing')",
      "drop table passing",
    ],
    [{ id: 1, place: "pg_class" }],
  ],
];
for (const [what, columns, statements, told] of untold) {
  Deno.test(`who listens to a table whose change cannot be told joins again: ${what}`, async () => {
    await using table = await useTable(columns);
    await using listener = await listenTo(table);
    await table.change(...statements);
    const states = await eventually(
      () => Promise.resolve(listener.states),
      (all) => all.filter((state) => state === "SUBSCRIBED").length === 2,
    );
    assertMatch(states[1] ?? "", /^CHANNEL_ERROR/);
    assertEquals(listener.heard.filter(({ eventType }) => eventType === "INSERT").map((message) => message.new), told);
  });
}

Deno.test("a filter may name a column that was added a moment ago", async () => {
  await using table = await useTable();
  await using _listener = await listenTo(table, "note=eq.a");
  await table.change("insert into t values (1, 'a')", "alter table t add place text");
  await using listener = await listenTo(table, "place=eq.here");
  assertEquals(listener.system.message, "Subscribed to PostgreSQL");
});

Deno.test("what a primary key includes beside its columns is no part of the key", async () => {
  await using table = await useTable("id integer, note text, primary key (id) include (note)");
  await using listener = await listenTo(table);
  await table.change("insert into t values (1, 'a')");
  await listener.hears(1);
  await table.change("delete from t");
  assertEquals((await listener.hears(2)).map(({ old }) => old), [{}, { id: 1 }]);
});

Deno.test("a name that has gone since it was looked up is no answer, and a policy that fails is: nobody sees", async () => {
  await using table = await useTable("id integer primary key, divisor integer");
  await table.change("insert into t values (1, 0)");
  const callers = [1, 2].map((sub) => ({ role: "anon" as const, claims: { sub: String(sub) } }));
  const see = (name: string) => {
    const column = { name, type: "int4", cast: "integer", isKey: true, readers: [] };
    const known = { schema: table.schema, name: "t", hasRls: true, columns: [column], hasLostKey: false };
    return inDatabase((sql) => visibleTo(sql, callers, known, [{ [name]: "1" }], true));
  };
  assertEquals(await see("id"), [new Set([0]), new Set([0])]);
  await assertRejects(() => see("number"), Error, "does not exist");
  await table.change(`alter policy "anybody can read all" on t using (1 / divisor = 1)`);
  assertEquals(await see("id"), [new Set(), new Set()]);
});
