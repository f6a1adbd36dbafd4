// live: artifacts, files, members, sessions and messages are told to those who may read them, and to nobody else.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject, createUser } from "../../support/factories.ts";
import { heardDuring, labels } from "./heard.ts";

const db = await shareDatabase();
const project = await createProject(db);
const topic = `project:${project.id}`;

Deno.test("a saved artifact is told with its path and version", async () => {
  for (const version of [1, 2]) {
    const save = { project_id: project.id, file_path: "src/a.ts", content: `// ${version}` };
    const heard = await heardDuring(db, () => db.rpc(project.editor.actor, "save_artifact", save));
    assertEquals(labels(heard), [`${topic} artifacts`]);
    const [{ id: _, ...artifact }] = heard[0]?.payload.artifacts;
    assertEquals(artifact, { file_path: "src/a.ts", version, task_id: null });
  }
});

Deno.test("a file is told when it is ready and when it goes, not while it is uploaded", async () => {
  const fields = { project_id: project.id, file_path: `${project.id}/f`, file_name: "f" };
  const upload = () => db.sql`insert into public.file_storage ${db.sql(fields)}`;
  const finish = () => db.sql`update public.file_storage set status = 'ready', file_size = 1, mime_type = 'text/plain'`;
  const remove = () => db.sql`delete from public.file_storage`;
  assertEquals(await heardDuring(db, upload), []);
  const told = [];
  for (const step of [finish, remove]) {
    const heard = await heardDuring(db, step);
    assertEquals(labels(heard), [`${topic} files`]);
    told.push(heard[0]?.payload.files[0].status);
  }
  assertEquals(told, ["ready", "deleted"]);
});

Deno.test("who joins, changes their role or is removed is told to the project", async () => {
  const person = await createUser(db);
  const steps = [
    () => db.sql`insert into public.project_collaborators (project_id, user_id) values (${project.id}, ${person.id})`,
    () => db.sql`update public.project_collaborators set role = 'editor' where user_id = ${person.id}`,
    () => db.sql`delete from public.project_collaborators where user_id = ${person.id}`,
  ];
  const roles = [];
  for (const step of steps) {
    const heard = await heardDuring(db, step);
    assertEquals(labels(heard), [`${topic} collaborators`]);
    assertEquals(heard[0]?.payload.collaborators[0].user_id, person.id);
    roles.push(heard[0]?.payload.collaborators[0].role);
  }
  assertEquals(roles, ["viewer", "editor", null]);
});

Deno.test("one statement that removes members of two projects tells each project of its own", async () => {
  const other = await createProject(db);
  const people = [await createUser(db), await createUser(db)];
  await db.sql`
    insert into public.project_collaborators (project_id, user_id)
    select p.id, u.id from unnest(${[project.id, other.id]}::uuid[]) as p (id), unnest(${
    people.map(({ id }) => id)
  }::uuid[]) as u (id)`;
  const heard = await heardDuring(
    db,
    () => db.sql`delete from public.project_collaborators where user_id = any (${people.map(({ id }) => id)})`,
  );
  assertEquals(labels(heard).sort(), [`${topic} collaborators`, `project:${other.id} collaborators`].sort());
  assertEquals(heard.map(({ payload }) => payload.collaborators.length), [2, 2]);
});

Deno.test("an archived project is told with its state", async () => {
  const other = await createProject(db);
  const heard = await heardDuring(
    db,
    () => db.sql`update public.projects set status = 'archived' where id = ${other.id}`,
  );
  assertEquals([labels(heard), heard[0]?.payload.status], [[`project:${other.id} project`], "archived"]);
});

Deno.test("a chat message is told to its session by id, never with its words", async () => {
  const session = await createChatSession(db, project.id, project.viewer);
  const heard = await heardDuring(
    db,
    () =>
      db.as(
        project.viewer.actor,
        (tx) =>
          tx`insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'a secret')`,
      ),
  );
  assertEquals(labels(heard), [`chat:${session} messages`]);
  const [{ id: _, ...message }] = heard[0]?.payload.messages;
  assertEquals([message, heard[0]?.payload.change], [{ role: "user", user_id: project.viewer.id }, "insert"]);
  assertEquals(JSON.stringify(heard).includes("secret"), false);
});

Deno.test("the project hears of a session only when it is shared, and when sharing ends", async () => {
  let session = "";
  const opened = await heardDuring(db, async () => {
    session = await createChatSession(db, project.id, project.viewer);
  });
  const share = (isShared: boolean) =>
    heardDuring(db, () => db.sql`update public.chat_sessions set is_shared = ${isShared} where id = ${session}`);
  const both = [`chat:${session} session`, `${topic} sessions`];
  assertEquals([labels(opened), labels(await share(true)), labels(await share(false)), labels(await share(false))], [
    [],
    both,
    both,
    [`chat:${session} session`],
  ]);
});

Deno.test("supabase_realtime carries the tables of the interface", async () => {
  const rows = await db.sql`
    select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by tablename`;
  assertEquals(rows.map((row) => row.tablename), [
    "agent_tasks",
    "agents",
    "chat_messages",
    "chat_sessions",
    "code_artifacts",
    "file_storage",
    "profiles",
    "project_collaborators",
    "projects",
    "workflow_executions",
    "workflows",
  ]);
});
