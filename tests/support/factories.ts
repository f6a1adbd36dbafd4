// Rows to test with, each made in a state that the schema allows.
import type { Actor, TestDatabase } from "./database.ts";

let made = 0;

/** A person who has signed up and confirmed their address. */
export async function createUser(db: TestDatabase, fields: { email?: string; fullName?: string } = {}) {
  const id = crypto.randomUUID();
  const email = fields.email ?? `person-${++made}-${id.slice(0, 8)}@example.com`;
  await db.sql`
    insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
    values (${id}, ${email}, now(), ${db.sql.json({ full_name: fields.fullName ?? `Person ${made}` })})`;
  return { id, email, actor: { user: id } satisfies Actor };
}

export type Person = Awaited<ReturnType<typeof createUser>>;

/** A project with one person per role, and a stranger who is in none of it. */
export async function createProject(db: TestDatabase) {
  const [owner, editor, viewer, stranger] = await Promise.all([
    createUser(db),
    createUser(db),
    createUser(db),
    createUser(db),
  ]);
  const [project] = await db.sql<{ id: string }[]>`
    insert into public.projects (name, owner_id) values ('A project', ${owner.id}) returning id`;
  if (!project) throw new Error("The project was not created");
  await db.sql`
    insert into public.project_collaborators (project_id, user_id, role)
    values (${project.id}, ${editor.id}, 'editor'), (${project.id}, ${viewer.id}, 'viewer')`;
  return { id: project.id, owner, editor, viewer, stranger };
}

export type Project = Awaited<ReturnType<typeof createProject>>;

/** A graph from pairs: `graph(["a", "b"], ["b", "c"])`; every node is a task for the given agent type. */
export function graph(pairs: [string, string][], options: Record<string, Record<string, unknown>> = {}) {
  const ids = [...new Set(pairs.flat())].filter((id) => !id.startsWith("__"));
  return {
    nodes: ids.map((id) => ({ id, type: "agent", agent_type: "architect", ...options[id] })),
    edges: pairs.map(([source, target]) => ({ source, target })),
  };
}

/** A workflow row with that definition, as its project's owner would insert it. */
export async function createWorkflow(db: TestDatabase, project: Project, definition: unknown): Promise<string> {
  const [workflow] = await db.sql<{ id: string }[]>`
    insert into public.workflows (project_id, name, definition, created_by)
    values (${project.id}, 'A workflow', ${db.sql.json(definition as never)}, ${project.owner.id}) returning id`;
  if (!workflow) throw new Error("The workflow was not created");
  return workflow.id;
}

/** Starts a workflow as the owner and gives back the answer. */
export async function startExecution(db: TestDatabase, project: Project, definition: unknown, input = {}) {
  const workflowId = await createWorkflow(db, project, definition);
  return await db.rpc(project.owner.actor, "start_workflow", { workflow_id: workflowId, input });
}
