// schema: everything that the mission's own schema names is there under its name.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAgent, createChatSession, createProject, createWorkflow, graph } from "../../support/factories.ts";
import { SEED_INDEXES, SEED_TABLES, SEED_UPDATED_AT } from "./seed_schema.ts";

const db = await shareDatabase();

Deno.test("the mission names eleven tables", () => {
  assertEquals(Object.keys(SEED_TABLES).length, 11);
});

/** What the API reads like a column, but is a function of the row: the text of an artifact, which is stored once. */
const COMPUTED = ["code_artifacts.content"];

for (const [table, columns] of Object.entries(SEED_TABLES)) {
  const fields = COMPUTED.filter((name) => name.startsWith(`${table}.`)).map((name) => name.slice(table.length + 1));
  const name = fields.length > 0 ? `, ${fields} computed` : "";
  Deno.test(`${table} has every column of the mission with its type${name}`, async () => {
    const rows = await db.sql`
      select a.attname as name, t.typname as type
      from pg_attribute as a join pg_type as t on t.oid = a.atttypid
      where a.attrelid = to_regclass(${`public.${table}`}) and a.attnum > 0 and not a.attisdropped
      union all
      select p.proname, t.typname
      from pg_proc as p join pg_type as t on t.oid = p.prorettype join pg_class as c on p.proargtypes = array[c.reltype]::oidvector
      where c.oid = to_regclass(${`public.${table}`}) and p.pronamespace = 'public'::regnamespace
        and p.proname = any (${fields})`;
    const found = new Map(rows.map((row) => [row.name, row.type]));
    const types: Record<string, string> = { integer: "int4", bigint: "int8", boolean: "bool" };
    for (const [name, type] of Object.entries(columns)) assertEquals(found.get(name), types[type] ?? type, name);
  });
}

for (const [index, table, column] of SEED_INDEXES) {
  Deno.test(`the index ${index} is there and begins with ${column}`, async () => {
    const [row] = await db.sql`
      select i.indrelid::regclass::text as table, a.attname as column
      from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indexrelid = to_regclass(${`public.${index}`}) and i.indisvalid`;
    assertEquals([row?.table.replace("public.", ""), row?.column], [table, column]);
  });
}

Deno.test("six tables keep updated_at", () => assertEquals(SEED_UPDATED_AT.length, 6));

for (const table of SEED_UPDATED_AT) {
  Deno.test(`a change to a row of ${table} sets its updated_at, whatever the statement says`, async () => {
    const project = await createProject(db);
    await createAgent(db, project.id);
    await createWorkflow(db, project, graph([["a", "b"]]));
    await createChatSession(db, project.id, project.owner);
    await db.rpc(project.owner.actor, "save_artifact", { project_id: project.id, file_path: "a", content: "a" });
    const changed = await db.sql.unsafe(`
      update public.${table} set updated_at = '2001-01-01' returning updated_at > now() - interval '1 minute' as is_now`);
    assert(changed.length > 0);
    assert(changed.every((row) => row.is_now));
  });
}

Deno.test("every table has a primary key", async () => {
  const rows = await db.sql`
    select c.relname from pg_class as c
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind = 'r'
      and not exists (select from pg_index as i where i.indrelid = c.oid and i.indisprimary)`;
  assertEquals([...rows], []);
});

Deno.test("an account can be deleted, and what it made in other people's projects stays", async () => {
  const project = await createProject(db);
  const { artifact } = await db.rpc(project.editor.actor, "save_artifact", {
    project_id: project.id,
    file_path: "a",
    content: "a",
  });
  await db.sql`delete from auth.users where id = ${project.editor.id}`;
  const [row] = await db.sql`select created_by from public.code_artifacts where id = ${artifact.id}`;
  assertEquals(row?.created_by, null);
});
