// access: who writes in one chat, or listens to it, is not asked about all of them.
import { assert } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createChatSession, createProject } from "../../support/factories.ts";
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
