// Two databases with the same grown installation: one under our policies, one under those that people write first.
import postgres from "postgres";
import { cloneDatabase, type TestDatabase } from "../../support/database.ts";

const read = (name: string) => Deno.readTextFile(new URL(name, import.meta.url));

/** Who reads, and what of theirs. */
export interface Reader {
  id: string;
  project_id: string;
  execution_id: string;
  session_id: string;
}

export interface World extends AsyncDisposable {
  db: TestDatabase;
  reader: Reader;
}

/** Fills a fresh database; the parameters are written in because several statements share them. */
export async function buildWorld(size: { projects: number; perProject: number; messages: number }): Promise<World> {
  const db = await cloneDatabase();
  const text = (await read("world.sql")).replaceAll("$1", String(size.projects)).replaceAll(
    "$2",
    String(size.perProject),
  )
    .replaceAll("$3", String(size.messages));
  const admin = postgres(db.url, { max: 1, onnotice: () => {} });
  await admin.unsafe(text);
  await admin.unsafe("vacuum analyze");
  const [reader] = await admin<Reader[]>`
    select u.id, p.id as project_id, e.id as execution_id, s.id as session_id
    from auth.users as u
    join public.projects as p on p.owner_id = u.id
    join public.workflow_executions as e on e.project_id = p.id
    join public.chat_sessions as s on s.project_id = p.id
    where u.email = 'person-1@example.com'
    order by p.created_at
    limit 1`;
  await admin.end();
  if (!reader) throw new Error("The world has no reader");
  return { db, reader, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
}

/** Puts the customary policies in the place of ours. */
export async function useCustomaryPolicies({ db }: World): Promise<void> {
  await db.sql.unsafe(await read("customary_policies.sql")).simple();
}
