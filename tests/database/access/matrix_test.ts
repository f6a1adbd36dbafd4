// access: the matrix holds, row by row and verb by verb, and no table of the API is missing from it.
import { assertEquals } from "@std/assert";
import postgres from "postgres";
import { shareDatabase } from "../../support/database.ts";
import { type Entry, type Expected, MATRIX, STRANGE_TOPICS, TOPIC_POLICIES } from "./matrix.ts";
import { type ActorName, ACTORS, createWorld } from "./world.ts";

const db = await shareDatabase();
const world = await createWorld(db);
await db.sql`insert into storage.buckets (id, name) values ('elsewhere', 'elsewhere'), ('empty', 'empty')`;
await db.sql`insert into storage.objects (bucket_id, name) values ('elsewhere', ${`${world.project}/one`})`;
for (const topic of STRANGE_TOPICS) {
  for (const extension of ["broadcast", "presence"]) {
    await db.sql`insert into realtime.messages (topic, extension, private) values (${
      fill(topic, "worker")
    }, ${extension}, true)`;
  }
}
// No privilege, and a view that nobody can write to.
const DENIALS = ["42501", "55000"];
const undo = new Error("undone by the test");

/** Fills in `{project}`, `{me}` and the world's rows. */
function fill(text: string, actor: ActorName): string {
  const names: Record<string, string> = { ...world.rows, project: world.project, me: world.ids[actor] };
  return text.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? `{${name} is not in the world}`);
}

/** What happens when the actor tries, which is undone at once. */
async function outcome(actor: ActorName, statement: string, topic: string): Promise<"yes" | "none" | "denied"> {
  let rows = 0;
  try {
    await db.as(world.actors[actor], async (tx) => {
      await tx`
        select set_config('storage.allow_delete_query', 'true', true), set_config('realtime.topic', ${
        fill(topic, actor)
      }, true)`;
      rows = (await tx.unsafe(fill(statement, actor))).count;
      throw undo;
    });
  } catch (error) {
    if (error instanceof postgres.PostgresError && DENIALS.includes(error.code)) return "denied";
    if (error !== undo) throw error;
  }
  return rows > 0 ? "yes" : "none";
}

const statements = (entry: Entry): [string, string | undefined, Expected | undefined][] => [
  ["select", `select from ${entry.table} where ${entry.where}`, entry.select],
  ["insert", entry.insert && `insert into ${entry.table} ${entry.insert}`, entry.inserts],
  ["update", entry.set && `update ${entry.table} set ${entry.set} where ${entry.where}`, entry.updates],
  ["delete", `delete from ${entry.table} where ${entry.where}`, entry.deletes],
];

for (const entry of MATRIX) {
  for (const [verb, statement, expected] of statements(entry)) {
    if (!statement || !expected) continue;
    Deno.test(`${entry.table}, ${entry.row}: who can ${verb}`, async () => {
      const found: Record<string, string> = {};
      for (const actor of ACTORS) found[actor] = await outcome(actor, statement, entry.topic ?? "");
      const wanted = ACTORS.map((actor) => [
        actor,
        expected.yes?.includes(actor) ? "yes" : expected.none?.includes(actor) ? "none" : "denied",
      ]);
      assertEquals(found, Object.fromEntries(wanted));
    });
  }
}

Deno.test("every table and view of the API stands in the matrix, with every verb", async () => {
  const tables = await db.sql<{ name: string }[]>`
    select format('public.%I', c.relname) as name from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1`;
  const complete = MATRIX.filter((entry) => entry.inserts && entry.updates && entry.deletes).map((entry) =>
    entry.table
  );
  assertEquals(
    [...new Set(complete.filter((name) => name.startsWith("public.")))].toSorted(),
    tables.map(({ name }) => name),
  );
});

Deno.test("every policy on realtime.messages stands in the matrix", async () => {
  const rows = await db.sql<{ name: string }[]>`
    select policyname as name from pg_policies where schemaname = 'realtime' and tablename = 'messages' order by 1`;
  assertEquals(TOPIC_POLICIES.toSorted(), rows.map(({ name }) => name));
});

Deno.test("every bucket stands in the matrix, with every verb", async () => {
  const rows = await db.sql<
    { id: string }[]
  >`select id from storage.buckets where id not in ('elsewhere', 'empty') order by id`;
  const complete = MATRIX.filter((entry) => entry.bucket && entry.inserts && entry.updates && entry.deletes);
  assertEquals([...new Set(complete.map(({ bucket }) => bucket))].toSorted(), rows.map(({ id }) => id));
});

Deno.test("no table outside the API and Storage has grants for people, and a policy that lets them in", async () => {
  const rows = await db.sql`
    select distinct p.schemaname || '.' || p.tablename as name from pg_policies as p
    where p.roles && array['public', 'anon', 'authenticated']::name[]
      and p.schemaname <> 'public' and (p.schemaname, p.tablename) not in (('storage', 'objects'), ('realtime', 'messages'))`;
  assertEquals([...rows], []);
});
