// access: who can call what. A function that is in neither list fails the suite.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";

const db = await shareDatabase();

/** The doors of the API: for people with an account and for workers. Each checks who asks. */
const DOORS = [
  "abort_upload",
  "accept_invitation",
  "cancel_execution",
  "claim_tasks",
  "complete_task",
  "complete_tasks",
  "decide_task",
  "execution_state",
  "finish_upload",
  "fork_execution",
  "heartbeat_task",
  "invite_collaborator",
  "list_events",
  "publish_workflow",
  "register_upload",
  "release_task",
  "retry_execution",
  "roll_back_workflow",
  "save_artifact",
  "start_workflow",
  "withdraw_invitation",
];

/** What doors and policies call in the engine, as the caller. Everything else there is the engine's own. */
const BEHIND_THE_DOORS = [
  ...DOORS.filter((name) => name !== "save_artifact"),
  "save_artifact_as_caller",
  // Called by policies and views.
  "chat_session_ids",
  "is_admin",
  "is_worker",
  "project_ids",
  "project_members",
  "readable_project_ids",
].toSorted();

/** The functions of a schema that a role may execute, or all of them. */
async function functions(schema: string, role?: string): Promise<string[]> {
  const rows = await db.sql<{ name: string }[]>`
    select distinct p.proname as name from pg_proc as p
    where p.pronamespace = ${schema}::regnamespace
      and (${role ?? null}::text is null or has_function_privilege(${role ?? "anon"}, p.oid, 'execute'))
    order by 1`;
  return rows.map((row) => row.name);
}

Deno.test("the functions of the API are the doors of this list and no more", async () => {
  assertEquals(await functions("public"), DOORS);
});

for (const role of ["authenticated", "service_role"]) {
  Deno.test(`${role} can call every door, and in the engine only what stands behind one`, async () => {
    assertEquals(await functions("public", role), DOORS);
    assertEquals(await functions("private", role), BEHIND_THE_DOORS);
  });
}

Deno.test("anon can call nothing, and does not even see the engine's schema", async () => {
  assertEquals([await functions("public", "anon"), await functions("private", "anon")], [[], []]);
  const [row] = await db.sql`select has_schema_privilege('anon', 'private', 'usage') as usage`;
  assertEquals(row?.usage, false);
});

Deno.test("no API role can touch a table of the engine", async () => {
  const rows = await db.sql`
    select c.relname, r.role from pg_class as c, unnest(array['anon', 'authenticated', 'service_role']) as r (role)
    where c.relnamespace = 'private'::regnamespace and c.relkind = 'r'
      and has_table_privilege(r.role, c.oid, 'select, insert, update, delete, truncate, references, trigger')`;
  assertEquals([...rows], []);
});

Deno.test("no API role can truncate, reference or put triggers on a table of the API", async () => {
  const rows = await db.sql`
    select c.relname, r.role from pg_class as c, unnest(array['anon', 'authenticated', 'service_role']) as r (role)
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
      and has_table_privilege(r.role, c.oid, 'truncate, references, trigger')`;
  assertEquals([...rows], []);
});

Deno.test("anon has no grant on any table of the API", async () => {
  const rows = await db.sql`
    select c.relname from pg_class as c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
      and (has_table_privilege('anon', c.oid, 'select, insert, update, delete')
        or has_any_column_privilege('anon', c.oid, 'select, insert, update'))`;
  assertEquals([...rows], []);
});
