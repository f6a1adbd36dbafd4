// access: the JSON that people write themselves. What nests thousands of levels deep is stored and then hardly read, and what
// holds numbers of a hundred thousand digits is small until somebody reads it: one member's row would be everybody's failure.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);
const { viewer, editor } = project;

/** As text: JavaScript writes neither. */
const nested = (levels: number) => `{"deep": ${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
const LONG = `{"x": [${Array(12).fill("1e500").join(", ")}]}`;

Deno.test("every JSON column that people can write is looked at", async () => {
  const columns = await db.sql`
    select c.relname || '.' || a.attname as name
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and a.atttypid in ('json'::regtype, 'jsonb'::regtype)
      and has_column_privilege('authenticated', c.oid, a.attnum, 'insert, update')
    order by 1`;
  const watched = await db.sql`
    select c.relname || '.' || u.name as name
    from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid
    cross join lateral unnest(string_to_array(encode(t.tgargs, 'escape'), '\\000')) as u (name)
    where t.tgfoid = 'private.check_json'::regproc and u.name <> ''
    order by 1`;
  assertEquals(watched.map(({ name }) => name), columns.map(({ name }) => name));
});

const write = (metadata: string) => async () => {
  const session_id = await createChatSession(db, project.id, project.owner, true);
  await db.as(viewer.actor, (tx) =>
    tx`
      insert into public.chat_messages (session_id, role, content, metadata)
      values (${session_id}, 'user', 'hello', ${metadata}::text::jsonb)`);
};

const save = (metadata: string) => async () => {
  await db.as(editor.actor, (tx) =>
    tx`
      select public.save_artifact(
        project_id := ${project.id}, file_path := 'a.md', content := ${metadata}, metadata := ${metadata}::text::jsonb
      )`);
};

Deno.test("a hundred levels are taken, in a message and in an artifact", async () => {
  await write(nested(100))();
  await save(nested(100))();
});

for (const [what, json] of [["nests deeper", nested(102)], ["holds numbers without end", LONG]] as const) {
  Deno.test(`a viewer's message in a shared chat that ${what} is refused`, async () => {
    assertEquals((await refused(write(json)())).sqlstate, "23514");
  });

  Deno.test(`an artifact whose metadata ${what} is refused`, async () => {
    assertEquals((await refused(save(json)())).code, "validation_failed");
  });

  Deno.test(`a change of a row that ${what} is refused`, async () => {
    const change = db.as(viewer.actor, (tx) =>
      tx`
      update public.profiles set preferences = ${json}::text::jsonb where id = ${viewer.id}`);
    assertEquals((await refused(change)).sqlstate, "23514");
  });
}
