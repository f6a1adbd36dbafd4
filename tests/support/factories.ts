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

/** What a claim hands to a worker; the fields that tests need by name. */
export interface Claimed {
  id: string;
  node_id: string;
  lease_token: string;
  attempt: number;
  input_data: Record<string, unknown>;
}

/** Claims up to `limit` tasks of one execution as a worker, by node id. */
export async function claimAll(
  db: TestDatabase,
  execution_id: string,
  options: { actor?: Actor; limit?: number; lease_seconds?: number } = {},
): Promise<Record<string, Claimed>> {
  const { actor = "worker", limit = 100, lease_seconds = 60 } = options;
  const { tasks } = await db.rpc(actor, "claim_tasks", {
    worker_id: "a worker",
    agent_types: ["architect", "frontend", "backend", "tester", "debugger"],
    limit,
    lease_seconds,
    execution_id,
  });
  return Object.fromEntries(tasks.map((task: Claimed) => [task.node_id, task]));
}

/** Claims what is pending and hands over the one task of that node. */
export async function claimNode(db: TestDatabase, execution_id: string, node_id: string): Promise<Claimed> {
  const claimed = (await claimAll(db, execution_id))[node_id];
  if (!claimed) throw new Error(`The task of node ${node_id} was not there to claim`);
  return claimed;
}

/** The arguments of a completion of that task. */
export function report(task: Claimed | undefined, fields: Record<string, unknown> = {}) {
  if (!task) throw new Error("There is no such task to report");
  return { task_id: task.id, lease_token: task.lease_token, status: "completed", ...fields };
}

/** The status of every task of an execution, by node id. */
export async function statuses(db: TestDatabase, execution_id: string): Promise<Record<string, string>> {
  const rows = await db.sql`
    select node_id, status from public.agent_tasks where workflow_execution_id = ${execution_id} order by node_index`;
  return Object.fromEntries(rows.map((row) => [row.node_id, row.status]));
}

/** The execution's row as the database has it. */
export async function executionRow(db: TestDatabase, execution_id: string) {
  const [row] = await db.sql`select * from public.workflow_executions where id = ${execution_id}`;
  if (!row) throw new Error("There is no such execution");
  return row;
}

/** Seeds of `random()` with which the next claim takes back what is expired before it looks for work, or after it. */
export const RECLAIM_SEEDS = { before: 0.21875, after: 0 };

/** Makes the leases of an execution's running tasks expire, as if their workers had been silent. */
export async function expireLeases(db: TestDatabase, execution_id: string): Promise<void> {
  await db.sql`
    update public.agent_tasks set lease_expires_at = now() - interval '1 second'
    where workflow_execution_id = ${execution_id} and status = 'running'`;
}

/** A chat session of that person's in the project. */
export async function createChatSession(db: TestDatabase, projectId: string, person: Person, isShared = false) {
  const [session] = await db.sql<{ id: string }[]>`
    insert into public.chat_sessions (project_id, user_id, is_shared)
    values (${projectId}, ${person.id}, ${isShared}) returning id`;
  if (!session) throw new Error("The session was not created");
  return session.id;
}

/** Someone who administers the platform and is in no project. */
export async function createAdmin(db: TestDatabase): Promise<Person> {
  const admin = await createUser(db);
  await db.sql`update public.profiles set role = 'admin' where id = ${admin.id}`;
  return admin;
}

/** An active agent of a project, or a global one. */
export async function createAgent(db: TestDatabase, projectId: string | null, status = "active"): Promise<string> {
  const [agent] = await db.sql<{ id: string }[]>`
    insert into public.agents (project_id, name, type, status) values (${projectId}, 'An agent', 'tester', ${status})
    returning id`;
  if (!agent) throw new Error("The agent was not created");
  return agent.id;
}

/** A token as an invitation's mail would carry it, and the hash that the database is given. */
export async function invitationToken(): Promise<string> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** The row that Storage writes when an object of that size has arrived. */
export async function storeObject(db: TestDatabase, name: string, size: number, owner?: Person): Promise<void> {
  await db.sql`
    insert into storage.objects (bucket_id, name, owner_id, version, metadata)
    values ('genesis-files', ${name}, ${owner?.id ?? null}, '1', ${db.sql.json({ size })})`;
}

/** What Storage does when an object is removed. */
export async function removeObject(db: TestDatabase, name: string): Promise<void> {
  await db.sql.begin(async (tx) => {
    await tx`select set_config('storage.allow_delete_query', 'true', true)`;
    await tx`delete from storage.objects where bucket_id = 'genesis-files' and name = ${name}`;
  });
}

/** A file of the editor's that is ready, with its object. */
export async function createFile(db: TestDatabase, project: Project, size = 5) {
  const request = { project_id: project.id, file_name: "notes.txt", mime_type: "text/plain" };
  const { file } = await db.rpc(project.editor.actor, "register_upload", request);
  await storeObject(db, file.file_path, size, project.editor);
  const finished = { file_id: file.id, file_size: size, sha256: "a".repeat(64), mime_type: "text/plain" };
  return (await db.rpc("worker", "finish_upload", finished)).file as { id: string; file_path: string };
}
