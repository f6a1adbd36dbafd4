// access: which columns people may write. Everything that decides rights, state or history is in no list.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createWorld } from "./world.ts";

const db = await shareDatabase();
const world = await createWorld(db);

const WRITABLE: Record<"insert" | "update", Record<string, string>> = {
  insert: {
    agent_types: "description name project_id",
    agents: "configuration description model_name model_provider name project_id status system_prompt tools type",
    chat_messages: "artifacts content idempotency_key metadata role session_id",
    chat_sessions: "context is_shared project_id status title user_id",
    projects: "description name owner_id settings",
    workflows: "definition description name project_id",
  },
  update: {
    agent_types: "description",
    agents: "configuration description model_name model_provider name status system_prompt tools type",
    chat_sessions: "context is_shared status title",
    profiles: "avatar_url full_name preferences",
    project_collaborators: "permissions role",
    projects: "description name settings status",
    workflows: "definition description name",
  },
};

for (const verb of ["insert", "update"] as const) {
  Deno.test(`people can ${verb} the columns of this list and no other`, async () => {
    const rows = await db.sql`
      select c.relname as table, string_agg(a.attname, ' ' order by a.attname) as columns
      from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and has_column_privilege('authenticated', c.oid, a.attnum, ${verb})
      group by c.relname order by c.relname`;
    assertEquals(Object.fromEntries(rows.map((row) => [row.table, row.columns])), WRITABLE[verb]);
  });
}

// The worst of what a seed policy allowed, tried for real by whoever has the most rights there.
const attempts: [string, "owner" | "editor" | "admin", string][] = [
  ["make themselves an admin", "editor", "update public.profiles set role = 'admin' where id = '{me}'"],
  [
    "make themselves an admin in a new profile",
    "editor",
    "insert into public.profiles (id, email, role) values ('{me}', 'x', 'admin')",
  ],
  [
    "change their address behind Auth's back",
    "editor",
    "update public.profiles set email = 'victim@example.com' where id = '{me}'",
  ],
  ["become someone else", "editor", "update public.profiles set id = gen_random_uuid() where id = '{me}'"],
  [
    "give a project away without being asked",
    "owner",
    "update public.projects set owner_id = '{mate}' where id = '{project}'",
  ],
  [
    "move a membership to another project",
    "owner",
    "update public.project_collaborators set project_id = gen_random_uuid()",
  ],
  ["hand a membership to another person", "owner", "update public.project_collaborators set user_id = '{me}'"],
  ["move a workflow to another project", "editor", "update public.workflows set project_id = gen_random_uuid()"],
  ["set a workflow's version", "editor", "update public.workflows set current_version = 9"],
  ["set a workflow's status", "editor", "update public.workflows set status = 'active'"],
  [
    "create a workflow in someone's name",
    "editor",
    "insert into public.workflows (project_id, name, definition, created_by) values ('{project}', 'x', '{}', '{mate}')",
  ],
  ["move an agent to another project", "owner", "update public.agents set project_id = null"],
  ["rename an agent type that workflows name", "owner", "update public.agent_types set name = 'other'"],
  ["move a chat to another project", "editor", "update public.chat_sessions set project_id = gen_random_uuid()"],
  ["take over a chat", "editor", "update public.chat_sessions set user_id = '{me}'"],
  [
    "write a message in someone's name",
    "editor",
    "insert into public.chat_messages (session_id, user_id, role, content) values ('{sharedSession}', '{mate}', 'user', 'x')",
  ],
  [
    "date a message back",
    "editor",
    "insert into public.chat_messages (session_id, role, content, created_at) values ('{sharedSession}', 'user', 'x', '2000-01-01')",
  ],
  ["change a message", "editor", "update public.chat_messages set content = 'x'"],
  ["complete a task by hand", "owner", "update public.agent_tasks set status = 'completed'"],
  ["take a lease by hand", "owner", "update public.agent_tasks set lease_digest = sha256('x'), worker_id = 'me'"],
  ["raise a task's attempts", "owner", "update public.agent_tasks set max_attempts = 100"],
  ["end an execution by hand", "owner", "update public.workflow_executions set status = 'completed'"],
  ["publish a file by hand", "owner", "update public.file_storage set public_url = 'https://example.com'"],
  ["do any of it as an admin", "admin", "update public.projects set owner_id = '{me}'"],
];
for (const [what, actor, statement] of attempts) {
  Deno.test(`${/^[aeiou]/.test(actor) ? "an" : "the"} ${actor} cannot ${what}`, async () => {
    const names: Record<string, string> = { ...world.rows, project: world.project, me: world.ids[actor] };
    const text = statement.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? "");
    assertEquals((await refused(db.as(world.actors[actor], (tx) => tx.unsafe(text)))).sqlstate, "42501");
  });
}
