// Whatever several people do at the same time to memberships, projects and chats, in transactions of any kind that end in
// any way: the copies that policies ask end up equal to the tables that they are copies of.
//
// GENESIS_RUNS and GENESIS_SEED as in engine_model/model_test.ts.
import fc from "fast-check";
import postgres from "postgres";
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createUser } from "../../support/factories.ts";
import { SEED } from "../../support/seed.ts";
import { divergent, strayMessages } from "./divergent.ts";

const db = await shareDatabase();
const runs = Math.ceil(Number(Deno.env.get("GENESIS_RUNS") ?? 200) / 2);
const CLIENTS = 3;

const people = await Promise.all(Array.from({ length: 4 }, () => createUser(db)));
const clients = Array.from({ length: CLIENTS }, () =>
  postgres(db.url, {
    max: 1,
    onnotice: () => {},
    // Who waits in a circle is told so at once.
    connection: { deadlock_timeout: 10, lock_timeout: 20_000 },
  }));
Deno.test.afterAll(async () => {
  for (const client of clients) await client.end();
});

const project = fc.integer({ min: 0, max: 2 }).map((n) => `'p${n}'`);
const person = fc.constantFrom(...people.map(({ id }) => `'${id}'`));
const collaboratorRole = fc.constantFrom("'viewer'", "'editor'", "'owner'");
const status = fc.constantFrom("'active'", "'archived'", "'deleted'");
const role = fc.constantFrom("'user'", "'user'", "'admin'");

const statement = fc.oneof(
  fc.tuple(project, person, collaboratorRole).map(([project, person, role]) =>
    `insert into public.project_collaborators (project_id, user_id, role)
     select id, ${person}, ${role} from public.projects where name = ${project}
     on conflict (project_id, user_id) do update set role = excluded.role`
  ),
  fc.tuple(project, person).map(([project, person]) =>
    `delete from public.project_collaborators as c using public.projects as p
     where p.id = c.project_id and p.name = ${project} and c.user_id = ${person}`
  ),
  fc.tuple(project, status).map(([project, status]) =>
    `update public.projects set status = ${status} where name = ${project}`
  ),
  fc.tuple(project, person).map(([project, person]) =>
    `update public.projects set owner_id = ${person} where name = ${project}`
  ),
  fc.tuple(project, person).map(([project, person]) =>
    `insert into public.projects (name, owner_id) values (${project}, ${person})`
  ),
  project.map((project) =>
    `delete from public.projects where id = (select id from public.projects where name = ${project} order by id limit 1)`
  ),
  fc.tuple(person, role).map(([person, role]) => `update public.profiles set role = ${role} where id = ${person}`),
  fc.tuple(project, person, fc.boolean()).map(([project, person, isShared]) =>
    `insert into public.chat_sessions (project_id, user_id, is_shared)
     select id, ${person}, ${isShared} from public.projects where name = ${project}`
  ),
  fc.tuple(project, fc.boolean()).map(([project, isShared]) =>
    `update public.chat_sessions as s set is_shared = ${isShared} from public.projects as p
     where p.id = s.project_id and p.name = ${project}`
  ),
  project.map((project) =>
    `insert into public.chat_messages (session_id, role, content)
     select s.id, 'user', 'hello'
     from public.chat_sessions as s join public.projects as p on p.id = s.project_id where p.name = ${project}`
  ),
);

interface Transaction {
  isolation: string;
  statements: string[];
  isRolledBack: boolean;
}

const transaction: fc.Arbitrary<Transaction> = fc.record({
  isolation: fc.constantFrom("read committed", "read committed", "repeatable read"),
  statements: fc.array(statement, { minLength: 1, maxLength: 4 }),
  isRolledBack: fc.constantFrom(false, false, false, true),
});

/**
 * What transactions that meet may be told: to try again, that the row is gone or there by now, or that sessions are not
 * shared at REPEATABLE READ.
 */
const EXPECTED = ["40001", "40P01", "23503", "23505", "0A000"];

/** Ends what a test takes back on purpose. */
const takenBack = new Error("taken back");

const andTakeBack = async (statement: PromiseLike<unknown>) => {
  await statement;
  throw takenBack;
};

const unlessTakenBack = (error: unknown) => {
  if (error !== takenBack) throw error;
};

async function run(sql: postgres.Sql, { isolation, statements, isRolledBack }: Transaction): Promise<void> {
  try {
    await sql.begin(`isolation level ${isolation}`, async (tx) => {
      for (const [index, statement] of statements.entries()) {
        if (index === 2) await tx.savepoint((inner) => andTakeBack(inner.unsafe(statement))).catch(unlessTakenBack);
        else await tx.unsafe(statement);
      }
      if (isRolledBack) throw takenBack;
    });
  } catch (error) {
    if (!(error instanceof postgres.PostgresError && EXPECTED.includes(error.code))) unlessTakenBack(error);
  }
}

Deno.test("the copies that policies ask are what the tables say after any transactions side by side", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(transaction, { minLength: 1, maxLength: 5 }), { minLength: CLIENTS, maxLength: CLIENTS }),
      async (plan) => {
        await db.sql`delete from public.projects`;
        for (const name of ["p0", "p1", "p2"]) {
          await db.sql`insert into public.projects (name, owner_id) values (${name}, ${people[0]?.id ?? ""})`;
        }
        await Promise.all(plan.map(async (transactions, index) => {
          for (const transaction of transactions) {
            const client = clients[index];
            if (client) await run(client, transaction);
          }
        }));
        assertEquals(await divergent(db.sql), []);
        assertEquals(await strayMessages(db.sql), []);
      },
    ),
    { numRuns: runs, seed: SEED, endOnFailure: true },
  );
});
