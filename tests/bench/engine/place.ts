// A database with a project in it whose workflows the bench runs.
import postgres from "postgres";
import { AGENT_TYPE, type Workload } from "./graphs.ts";

export interface Place extends AsyncDisposable {
  url: string;
  sql: postgres.Sql;
  /** The workflow of that workload, made and published once. */
  workflowOf(workload: Workload): Promise<string>;
  /** Why the engine cannot run that workload yet, or null where it can. */
  obstacle(workload: Workload): Promise<string | null>;
  /** Whether the engine takes several reports in one call. */
  takesBatches: boolean;
}

export async function openPlace(url: string): Promise<Place> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const [person] = await sql<{ id: string }[]>`
    insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
    values (gen_random_uuid(), ${`bench-${crypto.randomUUID()}@example.com`}, now(), '{"full_name": "Bench"}')
    returning id`;
  const [project] = await sql<{ id: string }[]>`
    insert into public.projects (name, owner_id) values ('Bench', ${person?.id ?? null}) returning id`;
  await sql`insert into public.agent_types (project_id, name) values (${project?.id ?? null}, ${AGENT_TYPE})`;
  const [batch] = await sql`select exists (
    select from pg_proc where pronamespace = 'public'::regnamespace and proname = 'complete_tasks'
  ) as present`;
  const workflows = new Map<string, Promise<string>>();

  async function create({ name, definition }: Workload): Promise<string> {
    const [workflow] = await sql<{ id: string }[]>`
      insert into public.workflows (project_id, name, definition, created_by)
      values (${project?.id ?? null}, ${name}, ${sql.json(definition as never)}, ${person?.id ?? null}) returning id`;
    if (!workflow) throw new Error(`The workflow ${name} was not created`);
    await sql`select private.publish_workflow(${workflow.id})`;
    return workflow.id;
  }
  const workflowOf = (workload: Workload) => {
    const known = workflows.get(workload.name) ?? create(workload);
    workflows.set(workload.name, known);
    return known;
  };

  return {
    url,
    sql,
    workflowOf,
    takesBatches: batch?.present,
    async obstacle(workload) {
      try {
        await workflowOf(workload);
        return null;
      } catch (error) {
        if (error instanceof postgres.PostgresError && error.hint === "workflow_invalid") {
          return `publishing refuses it: ${error.detail}`;
        }
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => sql.end({ timeout: 5 }),
  };
}
