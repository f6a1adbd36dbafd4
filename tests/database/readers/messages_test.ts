// chat_messages: who may read a message is what its session says, at every moment and whoever writes it.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject, type Person } from "../../support/factories.ts";
import { type OpenTransaction, openTransaction, waitUntilBlocked } from "../../support/transactions.ts";
import { heardDuring, labels } from "../live/heard.ts";
import { strayMessages } from "./divergent.ts";

const db = await shareDatabase();
const project = await createProject(db);

const write = (session: string) =>
  db.sql`insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'hello')`;

const share = (session: string, isShared: boolean) =>
  db.sql`update public.chat_sessions set is_shared = ${isShared} where id = ${session}`;

const readers = async (session: string) => {
  const reads = async ({ actor }: Person) =>
    await db.as(actor, async (tx) => (await tx`select from public.chat_messages where session_id = ${session}`).length);
  return [await reads(project.owner), await reads(project.viewer), await reads(project.stranger)];
};

Deno.test("a session that is shared, and one no longer shared, takes its messages along", async () => {
  const session = await createChatSession(db, project.id, project.owner);
  await write(session);
  const seen = [await readers(session)];
  for (const isShared of [true, false]) {
    await share(session, isShared);
    seen.push(await readers(session));
  }
  assertEquals(seen, [[1, 0, 0], [1, 1, 0], [1, 0, 0]]);
});

Deno.test("the one whose private session it was reads nothing of it once out of the project", async () => {
  const session = await createChatSession(db, project.id, project.viewer);
  await write(session);
  assertEquals(await readers(session), [0, 1, 0]);
  await db.sql`delete from public.project_collaborators where user_id = ${project.viewer.id}`;
  assertEquals(await readers(session), [0, 0, 0]);
  await db.sql`
    insert into public.project_collaborators (project_id, user_id) values (${project.id}, ${project.viewer.id})`;
});

Deno.test("a message cannot name readers of its own, on writing or later", async () => {
  const session = await createChatSession(db, project.id, project.owner);
  const other = await createProject(db);
  await db.as("worker", async (tx) => {
    await tx`
      insert into public.chat_messages (session_id, role, content, project_id, private_to)
      values (${session}, 'system', 'hello', ${other.id}, null)`;
    await tx`
      update public.chat_messages set project_id = ${other.id}, private_to = ${other.owner.id}
      where session_id = ${session}`;
  });
  assertEquals(await strayMessages(db.sql), []);
});

Deno.test("a message that is moved to another session has that one's readers", async () => {
  const [from, to] = [
    await createChatSession(db, project.id, project.owner, true),
    await createChatSession(db, project.id, project.owner),
  ];
  await write(from);
  await db.sql`update public.chat_messages set session_id = ${to} where session_id = ${from}`;
  assertEquals(await readers(to), [1, 0, 0]);
});

Deno.test("what is written while the session is being made private is private", async () => {
  const session = await createChatSession(db, project.id, project.owner, true);
  await using hiding = await openTransaction(db, "superuser");
  await using writing = await openTransaction(db, "worker");
  await hiding.sql`update public.chat_sessions set is_shared = false where id = ${session}`;
  const written = writing.sql`
    insert into public.chat_messages (session_id, role, content) values (${session}, 'system', 'secret')`.execute();
  await waitUntilBlocked(db, writing);
  await hiding.commit();
  await written;
  await writing.commit();
  assertEquals(await readers(session), [1, 0, 0]);
});

Deno.test("a session is not made private past a message that is just being written", async () => {
  const session = await createChatSession(db, project.id, project.owner, true);
  await using writing = await openTransaction(db, "worker");
  await using hiding = await openTransaction(db, "superuser");
  await writing.sql`
    insert into public.chat_messages (session_id, role, content) values (${session}, 'system', 'secret')`;
  const hidden = hiding.sql`update public.chat_sessions set is_shared = false where id = ${session}`.execute();
  await waitUntilBlocked(db, hiding);
  await writing.commit();
  await hidden;
  await hiding.commit();
  assertEquals(await readers(session), [1, 0, 0]);
});

Deno.test("a transaction that may not see all messages cannot say who reads them", async () => {
  const session = await createChatSession(db, project.id, project.owner, true);
  const { sqlstate } = await refused(
    db.connect().begin("isolation level repeatable read", async (late) => {
      await late`select from public.projects limit 1`;
      await write(session);
      await late`update public.chat_sessions set is_shared = false where id = ${session}`;
    }),
  );
  assertEquals([sqlstate, await readers(session)], ["0A000", [1, 1, 0]]);
});

Deno.test("another change of a session does not wait for a message that is being written", async () => {
  const session = await createChatSession(db, project.id, project.owner, true);
  await using writing = await openTransaction(db, "worker");
  await using naming = await openTransaction(db, project.owner.actor);
  await writing.sql`
    insert into public.chat_messages (session_id, role, content) values (${session}, 'system', 'hello')`;
  await naming.sql`set local lock_timeout = '1s'`;
  assertEquals((await naming.sql`update public.chat_sessions set title = 'A title' where id = ${session}`).count, 1);
});

Deno.test("a stranger who would write in a session is refused at once, whoever has it locked", async () => {
  const session = await createChatSession(db, project.id, project.owner, true);
  await using holder = await openTransaction(db, "superuser");
  await holder.sql`select from public.chat_sessions where id = ${session} for update`;
  await using stranger = await openTransaction(db, project.stranger.actor);
  await stranger.sql`set local lock_timeout = '1s'`;
  const { sqlstate } = await refused(stranger.sql`
    insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'hello')`);
  assertEquals(sqlstate, "42501");
});

Deno.test("a worker who writes to a session that is not there breaks the foreign key, as ever", async () => {
  const { sqlstate } = await refused(write(crypto.randomUUID()));
  assertEquals(sqlstate, "23503");
});

Deno.test("that a session is shared is told once, not with every message of it", async () => {
  const session = await createChatSession(db, project.id, project.owner);
  for (let n = 0; n < 3; n++) await write(session);
  const heard = await heardDuring(db, () => share(session, true));
  assertEquals(labels(heard).toSorted(), [`chat:${session} session`, `project:${project.id} sessions`]);
});

Deno.test("a message that is corrected is told", async () => {
  const session = await createChatSession(db, project.id, project.owner);
  await write(session);
  const heard = await heardDuring(
    db,
    () => db.sql`update public.chat_messages set content = 'hi' where session_id = ${session}`,
  );
  assertEquals(labels(heard), [`chat:${session} messages`]);
});

const MADE_PRIVATE = "update public.chat_sessions set is_shared = false where id = $1";
for (
  const [change, statement, refusal] of [
    ["made private", MADE_PRIVATE, "PT403"],
    ["deleted", "delete from public.chat_sessions where id = $1", "23503"],
  ] as const
) {
  Deno.test(`a session is ${change} before what members begin to write into it meanwhile`, async () => {
    const session = await createChatSession(db, project.id, project.owner, true);
    const writeAs = (writer: OpenTransaction) =>
      writer.sql`
        insert into public.chat_messages (session_id, role, content) values (${session}, 'user', 'hello')`.execute();
    await using first = await openTransaction(db, project.viewer.actor);
    await using changing = await openTransaction(db, project.owner.actor);
    await using second = await openTransaction(db, project.viewer.actor);
    await writeAs(first);
    const changed = changing.sql.unsafe(statement, [session]).execute();
    await waitUntilBlocked(db, changing);
    const late = refused(writeAs(second));
    await waitUntilBlocked(db, second, late);
    await first.commit();
    assertEquals((await changed).count, 1);
    await changing.commit();
    assertEquals((await late).sqlstate, refusal);
  });
}

Deno.test("whoever makes a chat of theirs private keeps nobody from writing into chats of other people", async () => {
  const [shared, others] = [
    await createChatSession(db, project.id, project.owner, true),
    await createChatSession(db, project.id, project.viewer, true),
  ];
  await using hiding = await openTransaction(db, project.owner.actor);
  await hiding.sql.unsafe(MADE_PRIVATE, [shared]);
  await using writing = await openTransaction(db, project.viewer.actor);
  await writing.sql`set local lock_timeout = '1s'`;
  const written = await writing.sql`
    insert into public.chat_messages (session_id, role, content)
    values (${others}, 'user', 'hello')`;
  assertEquals(written.count, 1);
});
