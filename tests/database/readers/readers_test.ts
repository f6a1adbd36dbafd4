// private.readers: what a person may read, kept as one row, is what the tables say at every moment.
import type postgres from "postgres";
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, createUser, type Person } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";
import { divergent } from "./divergent.ts";

const db = await shareDatabase();

const readable = async (person: Person): Promise<string[]> => {
  const rows = await db.as(person.actor, (tx) => tx`select id from public.projects`);
  return rows.map((row) => row.id).toSorted();
};

const createOwnProject = async (owner: Person): Promise<string> => {
  const [row] = await db.sql`insert into public.projects (name, owner_id) values ('p', ${owner.id}) returning id`;
  return row?.id;
};

const add = (sql: typeof db.sql | postgres.TransactionSql, project: string, person: Person) =>
  sql`insert into public.project_collaborators (project_id, user_id) values (${project}, ${person.id})`;

Deno.test("who is removed and reads in the same transaction reads nothing any more", async () => {
  const { id, viewer } = await createProject(db);
  await using transaction = await openTransaction(db, "superuser");
  await transaction.sql`delete from public.project_collaborators where user_id = ${viewer.id}`;
  const claims = JSON.stringify({ sub: viewer.id });
  await transaction
    .sql`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`;
  assertEquals((await transaction.sql`select from public.projects where id = ${id}`).length, 0);
});

Deno.test("a project that changes hands is read by the new owner, and by the old one only as a member", async () => {
  const [before, after] = [await createUser(db), await createUser(db)];
  const project = await createOwnProject(before);
  await db.sql`update public.projects set owner_id = ${after.id} where id = ${project}`;
  assertEquals([await readable(before), await readable(after)], [[], [project]]);
});

Deno.test("a project that is removed leaves the lists of all who were in it", async () => {
  const { id, owner, viewer } = await createProject(db);
  await db.sql`delete from public.projects where id = ${id}`;
  const rows = await db.sql`
    select project_ids from private.readers where user_id = any (${[owner.id, viewer.id]}::uuid[])`;
  assertEquals(rows.map((row) => row.project_ids), [[], []]);
});

Deno.test("an admin reads projects that are made later, and their own ones alone when no admin any more", async () => {
  const admin = await createAdmin(db);
  const { id } = await createProject(db);
  assertEquals((await readable(admin)).includes(id), true);
  const own = await createOwnProject(admin);
  await db.sql`update public.profiles set role = 'user' where id = ${admin.id}`;
  assertEquals(await readable(admin), [own]);
});

Deno.test("memberships that are truncated away are forgotten", async () => {
  await using transaction = await openTransaction(db, "superuser");
  await transaction.sql`truncate public.project_collaborators cascade`;
  assertEquals(await divergent(transaction.sql), []);
});

Deno.test("of two projects that take the same person in at the same time, none is lost", async () => {
  const [owner, person] = [await createUser(db), await createUser(db)];
  const projects = [await createOwnProject(owner), await createOwnProject(owner)].toSorted();
  await using first = await openTransaction(db, "superuser");
  await using second = await openTransaction(db, "superuser");
  await add(first.sql, projects[0] ?? "", person);
  const added = add(second.sql, projects[1] ?? "", person).execute();
  await waitUntilBlocked(db, second);
  await first.commit();
  await added;
  await second.commit();
  assertEquals(await readable(person), projects);
});

Deno.test("somebody removed here while being added there is out here and in there", async () => {
  const [owner, person] = [await createUser(db), await createUser(db)];
  const [here, there] = [await createOwnProject(owner), await createOwnProject(owner)];
  await add(db.sql, here, person);
  await using addition = await openTransaction(db, "superuser");
  await using removal = await openTransaction(db, "superuser");
  await add(addition.sql, there, person);
  const removed = removal.sql`delete from public.project_collaborators where project_id = ${here}`.execute();
  await waitUntilBlocked(db, removal);
  await addition.commit();
  await removed;
  await removal.commit();
  assertEquals(await readable(person), [there]);
});

Deno.test("a transaction that sees an older state may not write a list from it", async () => {
  const [owner, person] = [await createUser(db), await createUser(db)];
  const [here, there] = [await createOwnProject(owner), await createOwnProject(owner)];
  const { sqlstate } = await refused(
    db.connect().begin("isolation level repeatable read", async (late) => {
      await late`select from public.projects limit 1`;
      await add(db.sql, here, person);
      await add(late, there, person);
    }),
  );
  assertEquals([sqlstate, await readable(person)], ["40001", [here]]);
});

Deno.test("who reads with a token of nobody reads nothing", async () => {
  await createProject(db);
  for (const claims of [{}, { sub: crypto.randomUUID() }]) {
    const rows = await db.sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${
        JSON.stringify(claims)
      }, true), set_config('role', 'authenticated', true)`;
      return await tx`select from public.projects`;
    });
    assertEquals(rows.length, 0);
  }
});

Deno.test("private.user_id answers what auth.uid answers", async () => {
  const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];
  const cases: [string, string][] = [["", ""], [one, ""], ["", `{"sub":"${one}"}`], [one, `{"sub":"${other}"}`]];
  cases.push(["", "{}"], ["", '{"sub":null}'], ["", `{"a":{"sub":"${other}"},"sub":"${one}"}`]);
  cases.push(["", `{"sub":"${other}","sub":"${one}"}`]);
  for (const [sub, claims] of cases) {
    const [row] = await db.sql.begin((tx) => [
      tx`select set_config('request.jwt.claim.sub', ${sub}, true), set_config('request.jwt.claims', ${claims}, true)`,
      tx`select private.user_id() is not distinct from auth.uid() as is_same`,
    ]).then(([_, rows]) => rows ?? []);
    assertEquals(row?.is_same, true, claims);
  }
});
