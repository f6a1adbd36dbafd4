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
  /** What Realtime sets while it asks its policies. */
  topic?: string;
  insert?: string;
  set?: string;
  select: Expected;
  inserts?: Expected;
  updates?: Expected;
  deletes?: Expected;
  /** Of which bucket the object is. */
  bucket?: string;
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

/** Realtime's own table grants its verbs to every API role, so there the policies alone decide. */
const heard = (...yes: ActorName[]): Expected => ({
  yes: [...yes, "worker"],
  none: ACTORS.filter((name) => name !== "worker" && !yes.includes(name)),
});

/** Messages on a topic: who hears them, and who may say something. */
const onTopic = (row: string, topic: string, hear: ActorName[], speak: ActorName[]): Entry[] =>
  ["broadcast", "presence"].map((extension) => ({
    table: "realtime.messages",
    row: `${extension} on ${row}`,
    topic,
    where: `topic = '${topic}'`,
    insert: `(topic, extension, private) values ('${topic}', '${extension}', true)`,
    set: "event = 'other'",
    select: heard(...hear),
    inserts: { yes: [...speak, "worker"] },
    updates: heard(),
    deletes: nobody,
  }));

const byOperationsOnly = { inserts: nobody, updates: nobody, deletes: nobody };

/** Topics that are nobody's, however much they look like one that is. The world has said something on each. */
export const STRANGE_TOPICS = ["anything", "project:", "project:{project}:more", "execution:not-a-uuid", "chat:--"];

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
    table: "public.execution_events",
    row: "the project's",
    where: "workflow_execution_id = '{execution}' and type = 'execution.started'",
    insert: "(workflow_execution_id, project_id, type) values ('{execution}', '{project}', 'task.completed')",
    set: "type = 'task.completed'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.task_decisions",
    row: "of the project's",
    where: "id = '{decision}'",
    insert: "(task_id, project_id, user_id, decision) values ('{task}', '{project}', '{me}', 'approved')",
    set: "decision = 'rejected'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.code_artifacts",
    row: "the project's",
    where: "id = '{artifact}'",
    insert: "(project_id, name, file_path, is_deleted, is_active) values ('{project}', 'b', 'b', true, false)",
    set: "name = 'other'",
    select: readable,
    ...byOperationsOnly,
  },
  {
    table: "public.artifact_provenance",
    row: "of the project's",
    where: "artifact_id = '{artifact}'",
    insert: "(artifact_id) values (gen_random_uuid())",
    set: "file_path = 'other'",
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
    table: "public.file_shares",
    row: "one of the editor's",
    where: "id = '{share}'",
    insert: "(file_id, project_id, expires_at) values ('{readyFile}', '{project}', now() + interval '1 day')",
    set: "max_downloads = null, revoked_at = null",
    select: readable,
    ...byOperationsOnly,
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
    bucket: "genesis-files",
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
    // Its name is taken even where the object itself is gone.
    insert: "(bucket_id, name, owner_id) values ('genesis-files', '{project}/ready-but-gone', '{me}')",
    set: "name = '{project}/moved'",
    select: { yes: readers, none: [...outsiders, "anon"] },
    inserts: {},
    updates: { none: ["stranger", "former", "viewer", "editor", "owner", "admin", "anon"] },
    deletes: { yes: ["editor", "owner", "worker"], none: ["stranger", "former", "viewer", "admin", "anon"] },
  },
  {
    table: "storage.objects",
    row: "one whose upload by the editor is under way",
    where: "name = '{project}/pending'",
    set: "name = '{project}/moved'",
    select: { yes: ["editor", "worker"], none: [...outsiders, "viewer", "owner", "admin", "anon"] },
    updates: { none: ["stranger", "former", "viewer", "editor", "owner", "admin", "anon"] },
    deletes: { yes: ["editor", "worker"], none: ["stranger", "former", "viewer", "owner", "admin", "anon"] },
  },
  ...onTopic("the project", "project:{project}", [...members, "admin"], members),
  ...onTopic("the execution", "execution:{execution}", [...members, "admin"], members),
  ...onTopic("the editor's private chat", "chat:{privateSession}", ["editor", "admin"], ["editor"]),
  ...onTopic("a shared chat", "chat:{sharedSession}", [...members, "admin"], members),
  ...onTopic("the former collaborator's own chat", "chat:{formerSession}", ["admin"], []),
  ...onTopic("a topic that is none of ours", "projects:{project}", [], []),
  {
    table: "realtime.messages",
    row: "on another topic than the one that is joined",
    topic: "project:{project}",
    where: "topic = 'execution:{execution}'",
    insert: "(topic, extension, private) values ('execution:{execution}', 'broadcast', true)",
    select: heard(),
    inserts: workers,
  },
  {
    table: "storage.objects",
    row: "in a folder that only looks like the project's",
    where: "name = '{project}/by-owner'",
    insert: "(bucket_id, name, owner_id) values ('genesis-files', upper('{project}') || '/new', '{me}')",
    select: { yes: readers, none: [...outsiders, "anon"] },
    inserts: workers,
  },
  {
    table: "storage.objects",
    row: "in a bucket that is not ours",
    where: "bucket_id = 'elsewhere'",
    insert: "(bucket_id, name, owner_id) values ('elsewhere', '{project}/new', '{me}')",
    set: "bucket_id = 'genesis-files'",
    select: { yes: ["worker"], none: [...signedIn, "anon"] },
    inserts: workers,
    updates: { yes: ["worker"], none: [...signedIn, "anon"] },
    deletes: { yes: ["worker"], none: [...signedIn, "anon"] },
  },
  {
    table: "storage.buckets",
    row: "ours",
    where: "id = 'genesis-files'",
    insert: "(id, name, public) values ('mine', 'mine', true)",
    set: "public = true",
    select: { yes: ["worker"], none: [...signedIn, "anon"] },
    inserts: workers,
    updates: { yes: ["worker"], none: [...signedIn, "anon"] },
  },
  {
    table: "storage.buckets",
    row: "an empty one",
    where: "id = 'empty'",
    select: { yes: ["worker"], none: [...signedIn, "anon"] },
    deletes: { yes: ["worker"], none: [...signedIn, "anon"] },
  },
  ...STRANGE_TOPICS.flatMap((topic) => onTopic(topic, topic, [], [])),
];

/** The policies on realtime.messages that the entries above are about: one that is missing here fails the suite. */
export const TOPIC_POLICIES: string[] = [
  "readers can receive what is sent about what they read",
  "members can send messages and show their presence",
];
