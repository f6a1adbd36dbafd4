// reconcile_files: what a call costs where there are many files and many projects.
import { assert, assertEquals } from "@std/assert";
import type { TransactionSql } from "postgres";
import { shareDatabase } from "../../support/database.ts";
import { createFile, createProject } from "../../support/factories.ts";

const db = await shareDatabase();

/** How often this connection went through the projects, or looked one up. */
async function scansOfProjects(tx: TransactionSql): Promise<number> {
  const [row] = await tx`
    select sum(pg_stat_get_xact_numscans(i.id))::integer as scans
    from (
      select 'public.projects'::regclass::oid
      union all
      select x.indexrelid from pg_index as x where x.indrelid = 'public.projects'::regclass
    ) as i (id)`;
  return row?.scans;
}

Deno.test("a call does not go through the projects for each object that is a file", async () => {
  const project = await createProject(db);
  for (let index = 0; index < 20; index++) await createFile(db, project);
  await db.as("worker", async (tx) => {
    const before = await scansOfProjects(tx);
    const [row] = await tx`select public.reconcile_files(older_than_seconds => 0) as answer`;
    assertEquals([row?.answer.removed, row?.answer.to_remove, row?.answer.to_adopt], [[], [], []]);
    const scans = await scansOfProjects(tx) - before;
    assert(scans < 5, `The projects were gone through ${scans} times.`);
  });
});
