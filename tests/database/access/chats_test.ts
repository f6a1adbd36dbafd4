// access: who writes in one chat, or listens to it, is not asked about all of them, and fills no chat of somebody else's.
import { assert, assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject, type Person, type Project } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { type OpenTransaction, openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const ACTS: Record<string, (own: OpenTransaction, session: string) => Promise<unknown>> = {
  "writes in a chat": (own, session) =>
    own.sql`insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'hello')`,
  "listens to a chat": (own, session) => own.sql`select private.may_use_topic(${`chat:${session}`}, 'receive')`,
};
for (const [what, act] of Object.entries(ACTS)) {
  Deno.test(`who ${what} reads that one, however many others are open to them`, async () => {
    const project = await createProject(db);
    const session = await createChatSession(db, project.id, project.editor);
    await db.sql`
      insert into public.chat_sessions (project_id, user_id, is_shared)
      select ${project.id}, ${project.viewer.id}, true from generate_series(1, 2000)`;
    await db.sql`analyze public.chat_sessions`;
    await using own = await openTransaction(db, project.editor.actor);
    await act(own, session);
    await own.sql`reset role`;
    const [read] = await own.sql`
      select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::integer as rows
      from pg_stat_xact_user_tables where relid = 'public.chat_sessions'::regclass`;
    assert(read?.rows < 100, `${read?.rows} sessions were read`);
  });
}

const write = (session: string, { actor }: Person) =>
  db.as(
    actor,
    (tx) => tx`insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'hello')`,
  );

/** A shared chat of the owner's, in which that person wrote all but one of the messages that one may write. */
async function nearlyFilledBy(who: "viewer" | "editor" | "owner") {
  const run = await startRun(db, { nodes: [{ id: "only", agent_type: "architect" }], edges: [] });
  const { project } = run;
  const session = await createChatSession(db, project.id, project.owner, true);
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`
      insert into public.chat_messages (session_id, project_id, user_id, role, content)
      select ${session}, ${project.id}, ${project[who].id}, 'user', 'again' from generate_series(1, 9999)`;
  });
  return { run, project, session };
}

Deno.test("one person writes ten thousand messages into a chat of somebody else", async () => {
  const { project, session } = await nearlyFilledBy("viewer");
  await write(session, project.viewer);
  assertEquals((await refused(write(session, project.viewer))).code, "too_many_messages");
});

Deno.test("one person writes a thousand messages at a time into chats of somebody else, and more into their own", async () => {
  const project = await createProject(db);
  const session = await createChatSession(db, project.id, project.owner, true);
  const writeMany = (person: Person, count: number) =>
    db.as(person.actor, (tx) =>
      tx`
        insert into public.chat_messages (session_id, role, content)
        select ${session}, 'user', 'again' from generate_series(1, ${count}::integer)`);
  await writeMany(project.viewer, 1000);
  await writeMany(project.viewer, 1000);
  assertEquals((await refused(writeMany(project.viewer, 1001))).code, "too_many_messages");
  await writeMany(project.owner, 1001);
});

Deno.test("who has written too much into a chat keeps nobody else from writing there", async () => {
  const { project, session } = await nearlyFilledBy("viewer");
  await write(session, project.viewer);
  for (const person of [project.editor, project.owner]) await write(session, person);
});

Deno.test("who has written too much into one chat may write into another", async () => {
  const { project, session } = await nearlyFilledBy("viewer");
  await write(session, project.viewer);
  await write(await createChatSession(db, project.id, project.owner, true), project.viewer);
});

Deno.test("people write into a chat of their own as much as they like", async () => {
  const { project, session } = await nearlyFilledBy("owner");
  for (let count = 0; count < 2; count++) await write(session, project.owner);
});

Deno.test("a person's report brings no more messages into a chat than the person may write", async () => {
  const { run, project, session } = await nearlyFilledBy("editor");
  const { id: task_id, lease_token } = await run.lease("only");
  const messages = [1, 2].map((number) => ({ session_id: session, content: `Message ${number}` }));
  const request = { task_id, lease_token, status: "completed", messages };
  assertEquals((await db.refusal(project.editor.actor, "complete_task", request)).code, "too_many_messages");
});

/** A project where that person has 9,999 chats. */
async function nearlyFullOfChats(who: "viewer" | "owner") {
  const project = await createProject(db);
  await db.sql`
    insert into public.chat_sessions (project_id, user_id)
    select ${project.id}, ${project[who].id} from generate_series(1, 9999)`;
  return project;
}

const openChat = (project: Project, person: Person, count = 1) =>
  db.as(person.actor, (tx) =>
    tx`
    insert into public.chat_sessions (project_id, user_id)
    select ${project.id}, ${person.id} from generate_series(1, ${count}::integer)`);

Deno.test("one person has ten thousand chats in a project", async () => {
  const project = await nearlyFullOfChats("viewer");
  assertEquals((await refused(openChat(project, project.viewer, 2))).code, "too_many_sessions");
  await openChat(project, project.viewer);
  assertEquals((await refused(openChat(project, project.viewer))).code, "too_many_sessions");
});

Deno.test("one person opens a thousand chats at a time", async () => {
  const project = await createProject(db);
  await openChat(project, project.viewer, 1000);
  assertEquals((await refused(openChat(project, project.viewer, 1001))).code, "too_many_sessions");
});

Deno.test("who has too many chats in a project keeps nobody else from opening one, and may open them in another", async () => {
  const project = await nearlyFullOfChats("owner");
  await openChat(project, project.owner);
  await openChat(project, project.editor);
  const other = await createProject(db);
  await db.sql`update public.projects set owner_id = ${project.owner.id} where id = ${other.id}`;
  await openChat(other, project.owner);
});

Deno.test("who deletes a chat makes room for another", async () => {
  const project = await nearlyFullOfChats("viewer");
  await openChat(project, project.viewer);
  await db.as(project.viewer.actor, (tx) =>
    tx`
    delete from public.chat_sessions where id in (select id from public.chat_sessions where project_id = ${project.id} limit 1)`);
  await openChat(project, project.viewer);
});

Deno.test("of two statements that open chats at once the second one counts those of the first", async () => {
  const project = await nearlyFullOfChats("viewer");
  const insert = (one: OpenTransaction) =>
    one.sql`insert into public.chat_sessions (project_id, user_id) values (${project.id}, ${project.viewer.id})`;
  await using first = await openTransaction(db, project.viewer.actor);
  await insert(first);
  await using second = await openTransaction(db, project.viewer.actor);
  const answer = refused(insert(second));
  await waitUntilBlocked(db, second, answer);
  await first.commit();
  assertEquals((await answer).code, "too_many_sessions");
});
