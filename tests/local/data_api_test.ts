// The Data API as supabase-js uses it: what it finds, embeds and writes is what PostgREST would.
import { assertEquals } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { eventually, type Fixture, startFixture } from "./fixture.ts";

const SCHEMA = `
  create table public.things (
    id integer primary key, name text not null, note text, data jsonb not null default '{}', done boolean
  );
  create table public.makers (id integer primary key, name text, works_for integer references public.makers);
  alter table public.things add maker_id integer references public.makers;
  create table public.sightings (
    id integer primary key, thing_id integer references public.things, maker_id integer references public.makers
  );
  create table public.thefts (
    id integer primary key, thing_id integer references public.things, maker_id integer references public.makers
  );
  create table public.places (id integer primary key, sighting_id integer references public.sightings);
  create table public.stays (
    place_id integer primary key references public.places, maker_id integer references public.makers
  );
  create table public.visits (
    place_id integer references public.places, maker_id integer references public.makers, primary key (place_id, maker_id)
  );
  create table public.seats (hall integer, number integer, note text, primary key (hall, number));
  create table public.tickets (
    id integer primary key, hall integer, number integer, constraint its_seat foreign key (hall, number) references public.seats
  );
  insert into public.seats values (1, 1, 'aisle'), (1, 2, 'window');
  insert into public.tickets values (1, 1, 2);
  insert into public.makers values (1, 'Ada');
  insert into public.places values (1);
  insert into public.visits values (1, 1);
  create table public.rows (id integer primary key, note text, kind text not null default 'plain', any_json jsonb);
  create function public.as_said(said text) returns text language sql immutable as $$ select said $$;
  create function public.is_so(so boolean) returns boolean language sql immutable as $$ select so $$;
  create table public.parts (thing_id integer references public.things, name text);
  create function public.all_things(above integer default 0) returns setof public.things language sql stable as $$
    select * from public.things where id > above $$;
  insert into public.things values
    (1, 'true', 'null', '{"a": 1, "b": {"list": [1, 2]}}', true), (2, '1e3', '', '{"a": 2}', false),
    (3, ' padded ', null, '{"c": "x,y"}', null), (4, 'says "a, b" (or \\ so)', 'x := 5', '{"c": "%"}', false);
  update public.things set maker_id = 1 where id = 1;
  insert into public.parts values (1, 'x'), (1, 'y'), (2, 'x'), (3, 'y'), (3, 'z');
`;

let stack: Fixture;
let sql: postgres.Sql;

Deno.test.beforeAll(async () => {
  stack = await startFixture({});
  sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(SCHEMA);
  await eventually(async () => await service().from("parts").select("name"), ({ error }) => error === null);
});

Deno.test.afterAll(async () => {
  await sql.end();
  await stack?.dispose();
});

const service = () => createClient(stack.url, stack.secretKey, { auth: { persistSession: false } });
const things = () => service().from("things").select("id").order("id");

async function idsOf(asked: PromiseLike<{ data: unknown; error: unknown }>): Promise<unknown> {
  const { data, error } = await asked;
  return error ?? (data as { id: number }[]).map(({ id }) => id);
}

Deno.test("a value is a text, also where it looks like something else or holds what filters are written with", async () => {
  const { data } = await service().from("things").select("id, name, note");
  for (const { id, name } of data ?? []) {
    const inTree = `"${name.replaceAll(/["\\]/g, "\\$&")}"`;
    assertEquals(await idsOf(things().eq("name", name)), [id]);
    assertEquals(await idsOf(things().filter("name", "in", `(x,${inTree})`)), [id]);
    assertEquals(await idsOf(things().or(`name.eq.${inTree},id.eq.0`)), [id]);
  }
  assertEquals(await idsOf(things().eq("note", "null")), [1]);
  assertEquals(await idsOf(things().eq("note", "x := 5")), [4]);
});

Deno.test("a name or a key that reads like a parameter stays one, and no value gets between its quotes", async () => {
  const name = 'says "a, b" (or \\ so)';
  assertEquals((await service().from("things").select("a$1:id" as "id").eq("name", name)).data, [{ a$1: 4 }] as never);
  assertEquals((await service().from("things").select("id").eq("data->>$1", name).eq("name", name)).data, []);
  assertEquals((await service().from("things").select("id").eq("$1", name)).error?.code, "42703");
});

Deno.test("a quote inside a value of a tree is part of it", async () => {
  assertEquals(await idsOf(things().or('name.eq.5",id.eq.2,name.eq.6"')), [2]);
});

Deno.test("a value that no text can hold is refused as one", async () => {
  assertEquals((await things().eq("name", "a\0b")).error?.code, "22021");
});

Deno.test("filters of one kind on one column all count", async () => {
  assertEquals(await idsOf(things().neq("id", 1).neq("id", 2)), [3, 4]);
  assertEquals(await idsOf(things().ilike("name", "%A%").ilike("name", "%o%")), [4]);
  assertEquals(await idsOf(things().not("note", "is", null).not("id", "eq", 1)), [2, 4]);
  assertEquals(await idsOf(things().neq("data->>a", "1").neq("data->>a", "3")), [2]);
});

Deno.test("of several or() each has to be met, inside each other too", async () => {
  assertEquals(await idsOf(things().or("id.eq.1,id.eq.2").or("id.eq.2,id.eq.3")), [2]);
  assertEquals(await idsOf(things().or("and(id.gt.1,or(id.eq.2,id.eq.3)),not.and(id.gt.1,id.lt.9)")), [1, 2, 3]);
  assertEquals(await idsOf(things().or("name.eq.], or(id.eq.2,id.eq.3) ")), [2, 3]);
  assertEquals(await idsOf(things().or("name.eq. padded ,id.eq.0")), [3]);
  const query = "select=id&not.and=(id.gt.1,id.lt.4)&not.or=(id.eq.4,id.eq.5)";
  const answer = await fetch(`${stack.url}/rest/v1/things?${query}`, { headers: { apikey: stack.secretKey } });
  assertEquals(await answer.json(), [{ id: 1 }]);
});

Deno.test("filters on embedded rows all count", async () => {
  const { data } = await service().from("things").select("id, parts!inner(name)").order("id")
    .neq("parts.name", "x").or("name.eq.x,name.eq.y", { referencedTable: "parts" })
    .or("name.eq.y,name.eq.z", { referencedTable: "parts" });
  assertEquals(data, [{ id: 1, parts: [{ name: "y" }] }, { id: 3, parts: [{ name: "y" }] }]);
});

Deno.test("what lies inside JSON can be compared in every way", async () => {
  assertEquals(await idsOf(things().contains("data->b", { list: [2] })), [1]);
  assertEquals(await idsOf(things().filter("data->>c", "match", "^x")), [3]);
  assertEquals(await idsOf(things().filter("data->>c", "in", '("x,y","%")')), [3, 4]);
});

Deno.test("a pattern may be one of several", async () => {
  assertEquals(await idsOf(things().likeAnyOf("name", ["t%", "1%"])), [1, 2]);
  assertEquals(await idsOf(things().filter("name", "like(all)", "{*e*,t*}")), [1]);
});

Deno.test("changes and functions are filtered alike", async () => {
  assertEquals(await idsOf(service().from("things").update({ done: true }).gt("id", 3).gt("id", 1).select("id")), [4]);
  assertEquals(await idsOf(service().rpc("all_things").select("id").neq("id", 1).neq("id", 2)), [3, 4]);
});

Deno.test("a column that a row of several leaves out has its default if that is preferred, and the answer says so", async () => {
  const rows = [{ id: 1, note: "a" }, { id: 2, kind: "round" }];
  const { data } = await service().from("rows").insert(rows, { defaultToNull: false }).select("id, note, kind");
  assertEquals(data, [{ id: 1, note: "a", kind: "plain" }, { id: 2, note: null, kind: "round" }]);
});

Deno.test("a column that a row of several leaves out is NULL otherwise, which may be refused", async () => {
  const { error } = await service().from("rows").insert([{ id: 3, note: "a" }, { id: 4, kind: "round" }]);
  assertEquals(error?.code, "23502");
  const { data } = await service().from("rows").insert([{ id: 5, note: "a" }, { id: 6 }]).select("id, note, kind");
  assertEquals(data, [{ id: 5, note: "a", kind: "plain" }, { id: 6, note: null, kind: "plain" }]);
});

Deno.test("JSON in a column of text is its text, and a boolean is one, the word for it too", async () => {
  const row = { id: 7, note: { a: [1] }, kind: true, any_json: false };
  const { data } = await service().from("rows").insert(row).select("note, kind, any_json").single();
  assertEquals(data, { note: '{"a":[1]}', kind: "true", any_json: false });
  assertEquals((await service().rpc("is_so", { so: "true" })).data, true);
});

Deno.test("a function's answer can be counted without reading it", async () => {
  const { count, error } = await service().rpc("all_things", { above: 1 }, { head: true, count: "exact" });
  assertEquals({ count, error }, { count: 3, error: null });
});

Deno.test("an estimated count of few rows is exact", async () => {
  const { count } = await service().from("things").select("*", { head: true, count: "estimated" });
  assertEquals(count, 4);
});

Deno.test("a key between two tables is embedded, whatever other tables have keys to both", async () => {
  const { data } = await service().from("things").select("id, by:makers!inner(name), parts(name)").order("name", {
    referencedTable: "parts",
  });
  assertEquals(data as unknown, [{ id: 1, by: { name: "Ada" }, parts: [{ name: "x" }, { name: "y" }] }]);
  const { data: called } = await service().rpc("all_things", { above: 3 }).select("id, makers(name)");
  assertEquals(called as unknown, [{ id: 4, makers: null }]);
  const { data: spread } = await service().from("sightings").select("...makers(maker:name), things(...makers(name))");
  assertEquals(spread, []);
});

Deno.test("a table between two others is one whose primary key holds a key to each", async () => {
  const { data } = await service().from("places").select("id, makers(name)");
  assertEquals(data, [{ id: 1, makers: [{ name: "Ada" }] }]);
  const { status, error } = await service().from("sightings").select("id, parts(name)");
  assertEquals([status, error?.code], [400, "PGRST200"]);
  assertEquals((await service().from("things").select("id, things(id)")).error?.code, "PGRST200");
});

Deno.test("a key of several columns is embedded by all of them, also where it is named", async () => {
  for (const hint of ["", "!its_seat", "!its_seat!inner"]) {
    const { data } = await service().from("tickets").select(`id, seats${hint}(note)`);
    assertEquals<unknown>(data, [{ id: 1, seats: { note: "window" } }]);
  }
  const { data } = await service().from("seats").select("note, tickets(id)").order("number");
  assertEquals(data, [{ note: "aisle", tickets: [] }, { note: "window", tickets: [{ id: 1 }] }]);
});

Deno.test("a function that is called by GET gets its arguments as they were written, and filters beside them", async () => {
  for (const said of ["true", "null", "{}", " padded ", '"quoted"', "1e3", "eq.5"]) {
    assertEquals((await service().rpc("as_said", { said }, { get: true })).data, said);
  }
  const some = service().rpc("all_things", { above: 1 }, { get: true }).select("id");
  assertEquals(await idsOf(some.neq("id", 2).eq("note", "x := 5")), [4]);
});

Deno.test("a table that is not there is refused as one, whatever is asked of it", async () => {
  const none = service().from("nowhere");
  const answers = [await none.select("id"), await none.insert({ id: 1 }), await none.update({ id: 1 }).eq("id", 1)];
  assertEquals(answers.map(({ status, error }) => [status, error?.code]), Array(3).fill([404, "PGRST205"]));
});

Deno.test("embedded rows may end with a path into JSON", async () => {
  const { data } = await service().from("makers").select("name, things(id, data->a)");
  assertEquals(data, [{ name: "Ada", things: [{ id: 1, a: 1 }] }]);
});

const named = (id: number) => service().from("things").select("name").eq("id", id).single();
const embedded = "id, maker:makers(name)";

Deno.test("a change of one row answers with that row, embedded rows and other names too", async () => {
  const added = await service().from("things").insert({ id: 11, name: "new", maker_id: 1 }).select(embedded).single();
  assertEquals<unknown>([added.status, added.data], [201, { id: 11, maker: { name: "Ada" } }]);
  const put = await service().from("things").upsert({ id: 11, name: "newer" }).select(embedded).single();
  assertEquals<unknown>([put.status, put.data], [200, { id: 11, maker: { name: "Ada" } }]);
  const changed = await service().from("things").update({ name: "old" }).eq("id", 11).select("called:name").single();
  assertEquals(changed.data, { called: "old" });
  const removed = await service().from("things").delete().eq("id", 11).select(embedded).single();
  assertEquals<unknown>(removed.data, { id: 11, maker: { name: "Ada" } });
});

Deno.test("a change answers with the rows that it changed, also where they do not pass its filters any more", async () => {
  await service().from("things").insert([{ id: 12, name: "open" }, { id: 13, name: "open" }, { id: 14, name: "else" }]);
  const update = service().from("things").update({ name: "shut" }).eq("name", "open").or("id.gt.11,name.eq.open");
  const { data } = await update.select(embedded).order("id");
  assertEquals<unknown>(data, [{ id: 12, maker: null }, { id: 13, maker: null }]);
  await service().from("things").delete().gt("id", 11);
});

Deno.test("a change of several rows, or of none, is none where one was to be changed", async () => {
  await service().from("things").insert([{ id: 15, name: "one" }, { id: 16, name: "one" }]);
  for (const columns of ["id", embedded]) {
    for (const change of [service().from("things").update({ name: "other" }), service().from("things").delete()]) {
      const { status, error } = await change.eq("name", "one").select(columns).single();
      assertEquals([status, error?.code, error?.details], [406, "PGRST116", "The result contains 2 rows"]);
    }
    const { error } = await service().from("things").update({ name: "other" }).eq("id", 99).select(columns).single();
    assertEquals([error?.code, error?.details], ["PGRST116", "The result contains 0 rows"]);
  }
  assertEquals([(await named(15)).data, (await named(16)).data], [{ name: "one" }, { name: "one" }]);
  await service().from("things").delete().gt("id", 14);
});

Deno.test("changed rows that are shown with others are counted", async () => {
  const rows = [{ id: 17, name: "counted" }, { id: 18, name: "counted" }];
  const added = await service().from("things").insert(rows, { count: "exact" }).select(embedded);
  const removed = await service().from("things").delete({ count: "exact" }).eq("name", "counted").select(embedded);
  assertEquals([added.count, removed.count], [2, 2]);
});

Deno.test("a row that is put is found by its key", async () => {
  const put = (body: unknown) =>
    fetch(`${stack.url}/rest/v1/makers?id=eq.2`, {
      method: "PUT",
      headers: { apikey: stack.secretKey, "content-type": "application/json", prefer: "count=exact" },
      body: JSON.stringify(body),
    });
  const answers = [await put({ id: 3, name: "Bob" }), await put({ id: 2, name: "Bob" })];
  for (const answer of answers) await answer.body?.cancel();
  assertEquals(answers.map(({ status }) => status), [400, 204]);
  await service().from("makers").delete().eq("id", 2);
});

Deno.test("a change of all rows is refused unless a filter says so, as the platform's sessions refuse it", async () => {
  await service().from("rows").insert({ id: 20, note: "stays" });
  const rows = service().from("rows");
  for (
    const [verb, change] of [["UPDATE", rows.update({ note: "" })], ["DELETE", rows.delete().select("id")]] as const
  ) {
    const { status, error } = await change;
    assertEquals([status, error?.code, error?.message], [400, "21000", `${verb} requires a WHERE clause`]);
  }
  assertEquals((await rows.select("note").eq("id", 20)).data, [{ note: "stays" }]);
});

Deno.test("a change of all rows that a filter asks for is made", async () => {
  await service().from("rows").insert({ id: 21 });
  assertEquals((await service().from("rows").update({ kind: "met" }).or("id.gt.0,id.lte.0").select("id")).status, 200);
  assertEquals((await service().from("rows").delete().gte("id", 0)).status, 204);
  assertEquals((await service().from("rows").select("id")).data, []);
});

Deno.test("a change of nothing changes nothing, with or without a filter", async () => {
  assertEquals((await service().from("things").update({}).select("id")).data, []);
});

Deno.test("an embedding of what is no table of the API is refused as one that PostgREST cannot find", async () => {
  await sql`create schema hidden`;
  await sql`create table hidden.secrets (id integer primary key, thing_id integer references public.things)`;
  await sql`grant usage on schema hidden to service_role`;
  await sql`grant select on hidden.secrets to service_role`;
  await eventually(async () => await service().from("things").select("id").limit(1), ({ error }) => error === null);
  const details = (hint = "") =>
    `Searched for a foreign key relationship between 'things' and 'secrets'${hint} in the schema 'public', ` +
    "but no matches were found.";
  for (
    const [embedding, said] of [["secrets(id)", details()], [
      "secrets!its_thing(id)",
      details(" using the hint 'its_thing'"),
    ]]
  ) {
    const { error } = await service().from("things").select(`id, ${embedding}`);
    assertEquals([error?.code, error?.details], ["PGRST200", said]);
  }
});

Deno.test("a number is one in JSON, with decimals or without, and what JSON has no number for is its text", async () => {
  await sql`create view numbers as select * from (values (1, 1.50::numeric, 2::numeric, 0.5::real, array[1.5, 2]::numeric[]),
    (2, 'NaN', 'Infinity', '-Infinity', null)) as n (id, decimal, whole, float, list)`;
  await sql`grant select on numbers to service_role`;
  const asked = () => service().from("numbers").select("decimal, whole, float, list").order("id");
  await eventually(async () => await asked(), ({ error }) => error === null);
  assertEquals((await asked()).data, [
    { decimal: 1.5, whole: 2, float: 0.5, list: [1.5, 2] },
    { decimal: "NaN", whole: "Infinity", float: "-Infinity", list: null },
  ]);
});

Deno.test("a text inside JSON that reads as JSON is that text", async () => {
  await service().from("rows").insert({ id: 30, any_json: { size: "5", list: ["true", "{}"] } });
  const { data } = await service().from("rows").select("any_json->size, any_json->list, first:any_json->list->0")
    .eq("id", 30);
  assertEquals<unknown>(data, [{ size: "5", list: ["true", "{}"], first: "true" }]);
  await sql`update public.rows set any_json = '"{}"' where id = 30`;
  assertEquals((await service().from("rows").select("any_json").eq("id", 30).single()).data, { any_json: "{}" });
  await sql`update public.things set data = '{"a": "1"}' where id = 1`;
  assertEquals<unknown>((await service().from("makers").select("things(data, data->a)")).data, [{
    things: [{ data: { a: "1" }, a: "1" }],
  }]);
});

Deno.test("rows of defaults alone can be inserted", async () => {
  await sql`create table entries (id integer primary key generated always as identity, note text default 'none')`;
  await sql`grant all on entries to service_role`;
  const entries = service().from("entries");
  await eventually(async () => await entries.select("id"), ({ error }) => error === null);
  const one = await entries.insert({}).select("id, note").single();
  assertEquals([one.status, one.data], [201, { id: 1, note: "none" }]);
  assertEquals((await entries.insert([{}, {}])).status, 201);
  assertEquals((await entries.select("id").order("id")).data, [{ id: 1 }, { id: 2 }, { id: 3 }]);
});

Deno.test("a list of booleans is JSON in a column of it", async () => {
  const row = { id: 31, any_json: [true, false] };
  const { data, error } = await service().from("rows").insert(row).select("id, any_json").single();
  assertEquals([error, data], [null, row]);
});

Deno.test("NULL in an array is null, and the text NULL that text", async () => {
  await sql`create table lists (
    id integer primary key, texts text[], numbers integer[], json jsonb[], square text[][], decimals numeric[], flags boolean[]
  )`;
  await sql`grant all on lists to service_role`;
  const lists = () => service().from("lists").select("*");
  await eventually(async () => await lists(), ({ error }) => error === null);
  const row = {
    id: 1,
    texts: ["x, y", null, "NULL", 'says "no"', "back\\slash", "", "{}", "\n"],
    numbers: [1, null],
    json: [{ a: [1, '"'] }, null, { b: "{}" }],
    square: [["a", null], ["b", "c"]],
    decimals: [1.5, null],
    flags: [true, null, false],
  };
  const added = await service().from("lists").insert(row).select().single();
  assertEquals([added.error, added.data], [null, row]);
  const [stored] = await sql`select texts[2] is null and texts[3] = 'NULL' and json[2] is null as so from lists`;
  assertEquals(stored?.so, true);
  await sql`update lists set texts = '{}', numbers = '[0:1]={1,2}'`;
  assertEquals((await service().from("lists").select("texts, numbers").single()).data, { texts: [], numbers: [1, 2] });
});

/** What is not written by supabase-js: the answer's status, headers and body. */
async function raw(path: string, { headers, ...rest }: RequestInit = {}) {
  const answer = await fetch(`${stack.url}/rest/v1/${path}`, {
    ...rest,
    headers: { apikey: stack.secretKey, ...headers },
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text.startsWith("{") ? JSON.parse(text) : text };
}

Deno.test("an answer names the place of its content by the request's own words", async () => {
  const { headers } = await raw("things?select=id&name=eq.true&id=eq.1");
  assertEquals(headers.get("content-location"), "/things?id=eq.1&name=eq.true&select=id");
});

Deno.test("a counted update tells the first and the last of its rows, one of none that there is none", async () => {
  const update = async (filter: string, prefer: string) => {
    const body = JSON.stringify({ done: null });
    const headers = { prefer, "content-type": "application/json" };
    return (await raw(`things?${filter}`, { method: "PATCH", headers, body })).headers.get("content-range");
  };
  assertEquals(await update("id=in.(3,9)", "count=exact"), "0-0/1");
  assertEquals(await update("id=eq.9", "count=exact"), "*/0");
});

Deno.test("a client that asks to roll back is not told that it was done, as it is not", async () => {
  const headers = { prefer: "tx=rollback, return=representation", "content-type": "application/json" };
  const body = JSON.stringify({ id: 1000, note: "stays" });
  const answer = await raw("rows", { method: "POST", headers, body });
  assertEquals(answer.headers.get("preference-applied"), "return=representation");
  assertEquals((await service().from("rows").delete().eq("id", 1000).select("note")).data, [{ note: "stays" }]);
});

Deno.test("rows of CSV are texts, NULL is none, and quotes hold commas and lines", async () => {
  const headers = { prefer: "return=representation", "content-type": "text/csv" };
  const body = 'id,note,kind\r\n1001,NULL,a\r\n1002,"a ""b"",\nc",NULLS\r\n1003,,"x"\r\n';
  const { body: rows } = await raw("rows?select=id,note,kind&order=id", { method: "POST", headers, body });
  assertEquals(JSON.parse(rows), [
    { id: 1001, note: null, kind: "a" },
    { id: 1002, note: 'a "b",\nc', kind: "NULLS" },
    { id: 1003, note: "", kind: "x" },
  ]);
  await service().from("rows").delete().gt("id", 1000);
});

Deno.test("CSV whose lines lack a value, or whose quotes stay open, is no rows", async () => {
  for (const body of ["id,note\n1004\n", 'id,note\n1004,"a\n']) {
    const answer = await raw("rows", { method: "POST", headers: { "content-type": "text/csv" }, body });
    assertEquals([answer.status, answer.body.code], [400, "PGRST102"], body);
  }
});

Deno.test("what the grammar of columns and filters has no place for is refused as that", async () => {
  const malformed = [
    "select=(id",
    "select=,id",
    "select=id,parts(name,)",
    "select=:id",
    "name=eq",
    "name=not.in",
    "id=is",
  ];
  const trees = ["or=(id.eq.1,)", "or=(id)", "or=(id.eq)", "or=(xor(id.eq.1))", "and=(id.eq.1,not.or(id.foo.1))"];
  for (const query of [...malformed, ...trees]) {
    const { status, body } = await raw(`things?${query}`);
    assertEquals([status, body.code, /meant/.test(body.message)], [400, "PGRST100", false], query);
  }
  const { body } = await raw("things?select=(id");
  assertEquals(body.message, '"failed to parse select parameter ((id)" (line 1, column 1)');
});

Deno.test("what only looks like a mistake is read", async () => {
  assertEquals(await idsOf(things().or('id.eq.1,and(name.eq."(,)",id.gt.0),not.or(id.neq.2,name.like(any).{x})')), [
    1,
    2,
  ]);
  assertEquals((await raw("parts?select=name,things()&name=eq.z")).body, '[{"name":"z"}]');
  assertEquals((await raw('things?select="id"&id=eq.1')).body, '[{"id":1}]');
  assertEquals((await raw("things?select=data->>a&data->>a=eq.1")).body, '[{"a":"1"}]');
});

Deno.test("a column that there is not is named with its table, that of embedded rows with their number", async () => {
  const said = async (query: string) => (await raw(query)).body.message;
  const ofThings = ["select=nope", "select=x:nope::text", "nope=eq.1", "order=nope.desc", "or=(id.eq.1,nope.is.null)"];
  for (const query of ofThings) assertEquals(await said(`things?${query}`), "column things.nope does not exist", query);
  const ofParts = [
    "parts(nope)",
    "p:parts(name)&p.nope=eq.1",
    "parts(name)&parts.order=nope",
    "parts(name)&parts.or=(nope.eq.1)",
  ];
  for (const query of ofParts) {
    assertEquals(await said(`things?select=id,${query}`), "column parts_1.nope does not exist", query);
  }
  assertEquals(await said("things?select=parts(things(nope))"), "column things_2.nope does not exist");
  assertEquals(await said("rpc/all_things?select=nope"), "column pgrst_call.nope does not exist");
});

Deno.test("whether there are embedded rows can be asked beside what columns say", async () => {
  const withParts = () => service().from("things").select("id, parts(name)").order("id");
  assertEquals(await idsOf(withParts().or("id.eq.4,parts.not.is.null").lt("id", 9)), [1, 2, 3, 4]);
  assertEquals(await idsOf(withParts().or("parts.is.null,id.eq.1")), [1, 4]);
  assertEquals(await idsOf(withParts().or("id.eq.4,and(parts.not.is.null,id.gt.2)")), [3, 4]);
  assertEquals(await idsOf(things().select("id, makers(name)").or("makers.not.is.null,id.eq.3")), [1, 3]);
  const places = service().from("places").select("id, visitors:makers!visits(name)");
  assertEquals(await idsOf(places.or("visitors.not.is.null,id.eq.9")), [1]);
});

Deno.test("of embedded rows that are asked for beside columns, those count that pass their filters", async () => {
  const asked = () => service().from("things").select("id, p:parts(name)").eq("p.name", "z").order("id");
  assertEquals(await idsOf(asked().or("id.eq.1,p.not.is.null")), [1, 3]);
  assertEquals(await idsOf(asked().or("id.eq.3,p.is.null")), [1, 2, 3, 4]);
  assertEquals(await idsOf(asked().not("p.name", "in", "(x)").or("id.eq.2,parts.not.is.null")), [2, 3]);
});

Deno.test("embedded rows that are asked for beside columns are those that the caller may see", async () => {
  await sql.unsafe(`grant select on public.things, public.parts to anon;
    alter table public.parts enable row level security;
    create policy "all see x" on public.parts for select to anon using (name = 'x')`);
  const anonymous = createClient(stack.url, stack.publishableKey, { auth: { persistSession: false } });
  const asked = anonymous.from("things").select("id, parts(name)").or("parts.not.is.null,id.eq.4").order("id");
  const found = await idsOf(asked);
  await sql.unsafe(`drop policy "all see x" on public.parts; alter table public.parts disable row level security;
    revoke select on public.things, public.parts from anon`);
  assertEquals(found, [1, 2, 4]);
});

Deno.test("filters and order beside a spread are of the table that is read, also where the other has such a column", async () => {
  const asked = () => service().from("things").select("id, note, ...makers(maker:name, number:id)");
  assertEquals((await asked().eq("id", 1)).data, [{ id: 1, note: "null", maker: "Ada", number: 1 }]);
  assertEquals(await idsOf(asked().or('id.eq.1,and(id.gt.1,name.eq."1e3")').order("name")), [2, 1]);
  assertEquals(await idsOf(asked().in("id", [1, 2]).not("id", "eq", 2).order("data->>a")), [1]);
  const filtered = service().from("things").select("id, ...makers!inner(maker:name), parts!inner(name)");
  assertEquals(await idsOf(filtered.eq("makers.name", "Ada").eq("parts.name", "x").gt("id", 0)), [1]);
});
