// The access matrix as data: actor × row × verb → what happens. Whoever stands in no list is denied.
import { type ActorName, ACTORS } from "./world.ts";

/** `yes`: the row is there or changes. `none`: the statement runs and touches no row. Everybody else gets 42501. */
export interface Expected {
  yes?: readonly ActorName[];
  none?: readonly ActorName[];
}

/** One kind of row. `{project}`, `{me}` and the names of the world's rows are filled in. */
export interface Entry {
  table: string;
  row: string;
  where: string;
  insert?: string;
  set?: string;
  select: Expected;
  inserts?: Expected;
  updates?: Expected;
  deletes?: Expected;
}

const signedIn = ACTORS.filter((name) => name !== "anon" && name !== "worker");
const members: ActorName[] = ["viewer", "editor", "owner"];
const readers: ActorName[] = [...members, "admin", "worker"];
const outsiders: ActorName[] = ["stranger", "former"];

/** These may; the other people with an account touch no row; the rest is denied. */
const only = (...yes: ActorName[]): Expected => ({ yes, none: signedIn.filter((name) => !yes.includes(name)) });
const readable: Expected = { yes: readers, none: outsiders };
/** Nobody may but a worker. */
const workers: Expected = { yes: ["worker"] };
/** Not even a worker may. */
const nobody: Expected = {};

const byOperationsOnly = { inserts: nobody, updates: nobody, deletes: nobody };

export const MATRIX: Entry[] = [
  {
    table: "public.profiles",
    row: "their own",
    where: "id = '{me}'",
    insert: "(id, email) values ('{nobody}', 'nobody@example.com')",
    set: "full_name = 'New'",
    select: { yes: [...signedIn, "worker"] },
    inserts: workers,
    updates: { yes: [...signedIn, "worker"] },
    deletes: workers,
  },
  {
    table: "public.profiles",
    row: "a fellow member's",
    where: "id = '{mate}'",
    set: "full_name = 'New'",
    select: only("admin", "worker"),
    updates: only("worker"),
    deletes: workers,
  },
  {
    table: "public.projects",
    row: "the project, or one of their own",
    where: "id = '{project}'",
    insert: "(name, owner_id) values ('Mine', '{me}')",
    set: "name = 'New'",
    select: readable,
    inserts: { yes: [...signedIn, "worker"] },
    updates: only("owner", "worker"),
    deletes: only("owner", "worker"),
  },
  {
    table: "public.projects",
    row: "in someone else's name",
    where: "id = '{project}'",
    insert: "(name, owner_id) values ('Theirs', '{mate}')",
    select: readable,
    inserts: workers,
  },
  {
    table: "public.project_collaborators",
    row: "another viewer's membership",
    where: "id = '{collaborator}'",
    insert: "(project_id, user_id, role) values ('{project}', '{me}', 'owner')",
    set: "role = 'editor'",
    select: readable,
    inserts: workers,
    updates: only("owner", "worker"),
    deletes: only("owner", "worker"),
  },
  {
    table: "public.project_collaborators",
    row: "the editor's membership",
    where: "id = '{editorCollaborator}'",
    set: "role = 'owner'",
    select: readable,
    updates: only("owner", "worker"),
    deletes: only("owner", "editor", "worker"),
  },
  {
    table: "public.project_members",
    row: "a fellow member",
    where: "user_id = '{mate}'",
    insert: "(project_id, user_id, role) values ('{project}', '{me}', 'owner')",
    set: "role = 'owner'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.agent_types",
    row: "a global one",
    where: "id = '{globalType}'",
    insert: "(name) values ('potter')",
    set: "description = 'New'",
    select: { yes: [...signedIn, "worker"] },
    inserts: { yes: ["admin", "worker"] },
    updates: only("admin", "worker"),
    deletes: only("admin", "worker"),
  },
  {
    table: "public.agent_types",
    row: "the project's",
    where: "id = '{projectType}'",
    insert: "(project_id, name) values ('{project}', 'potter')",
    set: "description = 'New'",
    select: readable,
    inserts: { yes: ["owner", "worker"] },
    updates: only("owner", "worker"),
    deletes: only("owner", "worker"),
  },
  {
    table: "public.agents",
    row: "a global one",
    where: "id = '{globalAgent}'",
    insert: "(name, type) values ('Mine', 'tester')",
    set: "name = 'New'",
    select: { yes: [...signedIn, "worker"] },
    inserts: { yes: ["admin", "worker"] },
    updates: only("admin", "worker"),
    deletes: only("admin", "worker"),
  },
  {
    table: "public.agents",
    row: "the project's",
    where: "id = '{projectAgent}'",
    insert: "(project_id, name, type) values ('{project}', 'Mine', 'tester')",
    set: "name = 'New'",
    select: readable,
    inserts: { yes: ["owner", "admin", "worker"] },
    updates: only("owner", "admin", "worker"),
    deletes: only("owner", "admin", "worker"),
  },
  {
    table: "public.agents",
    row: "an inactive one of the project",
    where: "id = '{inactiveAgent}'",
    select: only("editor", "owner", "admin", "worker"),
  },
  {
    table: "public.workflows",
    row: "the project's",
    where: "id = '{workflow}'",
    insert: "(project_id, name, definition) values ('{project}', 'Mine', '{}')",
    set: "name = 'New'",
    select: readable,
    inserts: { yes: ["editor", "owner", "worker"] },
    updates: only("editor", "owner", "worker"),
    deletes: only("owner", "worker"),
  },
  {
    table: "public.workflow_versions",
    row: "the project's",
    where: "workflow_id = '{workflow}'",
    insert: "(workflow_id, project_id, version, definition) values ('{workflow}', '{project}', 2, '{}')",
    set: "definition = '{}'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.workflow_executions",
    row: "the project's",
    where: "id = '{execution}'",
    insert: "(workflow_id, project_id, state) values ('{workflow}', '{project}', '{}')",
    set: "status = 'completed'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.agent_tasks",
    row: "the project's",
    where: "id = '{task}'",
    insert: "(workflow_execution_id, project_id, agent_type) values ('{execution}', '{project}', 'tester')",
    set: "status = 'completed'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.task_decisions",
    row: "the project's",
    where: "id = '{decision}'",
    insert: "(task_id, project_id, user_id, decision) values ('{approval}', '{project}', '{me}', 'approved')",
    set: "decision = 'approved'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.execution_events",
    row: "the project's",
    where: "workflow_execution_id = '{execution}' and type = 'execution.started'",
    insert: "(workflow_execution_id, project_id, type) values ('{execution}', '{project}', 'task.completed')",
    set: "type = 'task.completed'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.code_artifacts",
    row: "the project's",
    where: "id = '{artifact}'",
    insert: "(project_id, name, file_path, content) values ('{project}', 'b', 'b', 'b')",
    set: "content = 'other'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.chat_sessions",
    row: "the editor's private one",
    where: "id = '{privateSession}'",
    insert: "(project_id, user_id) values ('{project}', '{me}')",
    set: "title = 'New'",
    select: only("editor", "admin", "worker"),
    inserts: { yes: [...members, "worker"] },
    updates: only("editor", "worker"),
    deletes: only("editor", "worker"),
  },
  {
    table: "public.chat_sessions",
    row: "one that the editor shares",
    where: "id = '{sharedSession}'",
    set: "title = 'New'",
    select: readable,
    updates: only("editor", "worker"),
    deletes: only("editor", "worker"),
  },
  {
    table: "public.chat_sessions",
    row: "the former collaborator's own",
    where: "id = '{formerSession}'",
    set: "title = 'New'",
    select: only("admin", "worker"),
    updates: only("worker"),
    deletes: only("worker"),
  },
  {
    table: "public.chat_sessions",
    row: "in someone else's name",
    where: "id = '{sharedSession}'",
    insert: "(project_id, user_id) values ('{project}', '{mate}')",
    select: readable,
    inserts: workers,
  },
  {
    table: "public.chat_messages",
    row: "in the editor's private session",
    where: "id = '{privateMessage}'",
    insert: "(session_id, role, content) values ('{privateSession}', 'user', 'hello')",
    set: "content = 'other'",
    select: only("editor", "admin", "worker"),
    inserts: { yes: ["editor", "worker"] },
    updates: workers,
    deletes: workers,
  },
  {
    table: "public.chat_messages",
    row: "in a shared session",
    where: "id = '{sharedMessage}'",
    insert: "(session_id, role, content) values ('{sharedSession}', 'user', 'hello')",
    set: "content = 'other'",
    select: readable,
    inserts: { yes: [...members, "worker"] },
    updates: workers,
    deletes: workers,
  },
  ...["assistant", "system"].map((role): Entry => ({
    table: "public.chat_messages",
    row: `as ${role}`,
    where: "id = '{sharedMessage}'",
    insert: `(session_id, role, content) values ('{sharedSession}', '${role}', 'hello')`,
    select: readable,
    inserts: workers,
  })),
  {
    table: "public.file_storage",
    row: "one that is ready",
    where: "id = '{readyFile}'",
    insert: "(project_id, file_path, file_name) values ('{project}', '{project}/x', 'x')",
    set: "public_url = 'https://example.com'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.file_storage",
    row: "one that the editor is uploading",
    where: "id = '{pendingFile}'",
    set: "status = 'ready'",
    select: only("editor", "worker"),
    updates: nobody,
  },
  {
    table: "public.file_storage",
    row: "one that the former collaborator was uploading",
    where: "id = '{formerFile}'",
    select: only("worker"),
  },
  {
    table: "public.project_invitations",
    row: "the project's",
    where: "id = '{invitation}'",
    insert: "(project_id, email, role) values ('{project}', 'y@example.com', 'owner')",
    set: "status = 'revoked'",
    select: only("owner", "admin", "worker"),
    ...byOperationsOnly,
  },
  {
    table: "storage.objects",
    row: "one that the editor uploaded",
    where: "name = '{project}/by-editor'",
    insert: "(bucket_id, name, owner_id) values ('genesis-files', '{project}/new', '{me}')",
    set: "name = '{project}/moved'",
    // The platform grants everything on its own tables, so there anon is stopped by the policies.
    select: { yes: readers, none: [...outsiders, "anon"] },
    inserts: { yes: ["editor", "owner", "worker"] },
    updates: { yes: ["editor", "worker"], none: ["stranger", "former", "viewer", "owner", "admin", "anon"] },
    deletes: { yes: ["editor", "owner", "worker"], none: ["stranger", "former", "viewer", "admin", "anon"] },
  },
  {
    table: "storage.objects",
    row: "one that the owner uploaded",
    where: "name = '{project}/by-owner'",
    insert: "(bucket_id, name, owner_id) values ('genesis-files', 'elsewhere/new', '{me}')",
    select: { yes: readers, none: [...outsiders, "anon"] },
    inserts: workers,
    deletes: { yes: ["owner", "worker"], none: ["stranger", "former", "viewer", "editor", "admin", "anon"] },
  },
  {
    table: "storage.objects",
    row: "one that is registered as the editor's file",
    where: "name = '{project}/ready'",
    set: "name = '{project}/moved'",
    select: { yes: readers, none: [...outsiders, "anon"] },
    updates: { yes: ["worker"], none: ["stranger", "former", "viewer", "editor", "owner", "admin", "anon"] },
    deletes: { yes: ["editor", "owner", "worker"], none: ["stranger", "former", "viewer", "admin", "anon"] },
  },
];
