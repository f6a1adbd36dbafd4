// access: who writes in one chat, or listens to it, is not asked about all of them, and fills no chat of somebody else's.
import { assert, assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject, type Person } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { type OpenTransaction, openTransaction } from "../../support/transactions.ts";

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
