// access: the views are for reading, and a write to one is refused like any write that nobody has a right to.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const views = await db.sql<{ name: string; column: string }[]>`
  select c.relname as name, min(a.attname) as column
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
  group by c.relname`;

for (const { name, column } of views) {
  Deno.test(`nobody writes to ${name}`, async () => {
    const { owner } = await createProject(db);
    for (const actor of [owner.actor, "anon", "worker"] as const) {
      for (
        const statement of [
          `insert into public.${name} (${column}) values (null)`,
          `update public.${name} set ${column} = null`,
          `delete from public.${name}`,
        ]
      ) {
        assertEquals((await refused(db.as(actor, (tx) => tx.unsafe(statement)))).sqlstate, "42501", statement);
      }
    }
  });
}
