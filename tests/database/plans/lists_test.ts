// Lists that name no project look at what their reader may see, however much everybody else has.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";
import { nodesOf, type StatementPlan } from "./explain.ts";

const db = await shareDatabase();
const project = await createProject(db);

// A hundred projects of somebody else's, and in each of them fifty rows.
await db.sql`
  insert into public.projects (name, owner_id)
  select 'Another', ${project.stranger.id} from generate_series(1, 100)`;
const ROWS = "from public.projects as p cross join generate_series(1, 50) as n where p.name = 'Another'";
await db.sql.unsafe(`
  insert into public.file_storage (project_id, file_path, file_name, status, file_size, mime_type)
  select p.id, p.id || '/' || n, 'a', 'ready', 1, 'text/plain' ${ROWS};
  insert into public.file_shares (file_id, project_id, expires_at)
  select f.id, f.project_id, now() + interval '1 hour' from public.file_storage as f;
  insert into public.project_invitations (project_id, email, status) select p.id, 'a@example.com', 'revoked' ${ROWS};
  insert into public.agent_types (project_id, name) select p.id, 'type-' || n ${ROWS};
  insert into public.agents (project_id, name, type) select p.id, 'An agent', 'tester' ${ROWS};
`);
await db.sql`vacuum analyze`;

for (const table of ["file_storage", "file_shares", "project_invitations", "agent_types", "agents"]) {
  Deno.test(`a list of ${table} looks at no rows of other projects`, async () => {
    const [row] = await db.as(
      project.owner.actor,
      (tx) => tx.unsafe(`explain (analyze, format json) select * from public.${table}`),
    );
    const [{ Plan }] = row?.["QUERY PLAN"] as [StatementPlan];
    const passedOver = nodesOf(Plan).map((node) => node["Rows Removed by Filter"] ?? 0);
    assertEquals(passedOver.filter((rows) => rows > 100), []);
  });
}
