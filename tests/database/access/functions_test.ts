// access: who can call what. A function that is in neither list fails the suite.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";

const db = await shareDatabase();

/** The doors of the API: for people with an account and for workers. Each checks who asks. */
const DOORS = [
  "abort_upload",
  "accept_invitation",
  "adopt_file",
  "artifact_history",
  "artifact_snapshot",
  "cancel_execution",
  "check_upload",
  "claim_tasks",
  "complete_task",
  "complete_tasks",
  "decide_task",
  "delete_artifact",
  "delete_file",
  "download_file",
  "execution_state",
  "finish_upload",
  "follow_execution",
  "fork_execution",
  "heartbeat_task",
  "invite_collaborator",
  "list_events",
  "list_invitations",
  "open_link",
  "open_share",
  "pass_over_object",
  "publish_workflow",
  "reconcile_files",
  "register_upload",
  "release_task",
  "resend_invitation",
  "restore_artifact",
  "retry_execution",
  "return_download",
  "revert_execution",
  "revoke_invitation",
  "revoke_share",
  "roll_back_workflow",
  "save_artifact",
  "set_user_role",
  "share_file",
  "sign_upload",
  "start_workflow",
  "transfer_project",
  "withdraw_invitation",
];

/** Computed fields of tables: what a column would be, read through a function. */
const COMPUTED_FIELDS = ["content"];

const OF_THE_API = [...DOORS, ...COMPUTED_FIELDS].toSorted();

/** What doors and policies call in the engine, as the caller. Everything else there is the engine's own. */
const BEHIND_THE_DOORS = [
  ...DOORS.filter((name) => name !== "save_artifact" && name !== "delete_artifact"),
  "delete_artifact_as_caller",
  "save_artifact_as_caller",
  // Called by policies, views and computed fields.
  "artifact_content",
  "has_long_numbers",
  "is_admin",
  "is_worker",
  "may_use_topic",
  "objects_under_way",
  "project_ids",
  "project_members",
  "published_by_name",
  "readable_project_ids",
  "saved_by_name",
  "started_by_name",
  "user_id",
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

Deno.test("the functions of the API are the doors and fields of these lists and no more", async () => {
  assertEquals(await functions("public"), OF_THE_API);
});

for (const role of ["authenticated", "service_role"]) {
  Deno.test(`${role} can call every door, and in the engine only what stands behind one`, async () => {
    assertEquals(await functions("public", role), OF_THE_API);
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
