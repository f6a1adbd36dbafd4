// artifact_history: newest first, page by page without missing or repeating one, each page by the index alone.
import { assert, assertEquals } from "@std/assert";
import { remove, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const numbers = (versions: { version: number }[]) => versions.map(({ version }) => version);

Deno.test("every version is there, newest first, deletions and restores too, without texts", async () => {
  const project = await createProject(db);
  const old = await save(db, project, "a", "one");
  await save(db, project, "a", "two");
  await remove(db, project, "a");
  await db.rpc(project.editor.actor, "restore_artifact", { artifact_id: old.id });
  const { versions, next_before_version } = await db.rpc(project.viewer.actor, "artifact_history", {
    project_id: project.id,
    file_path: "a",
  });
  assertEquals(numbers(versions), [4, 3, 2, 1]);
  assertEquals(versions.map((each: { is_deleted: boolean }) => each.is_deleted), [false, true, false, false]);
  assertEquals([versions[0].restored_from, versions[0].is_active, next_before_version], [1, true, null]);
  assertEquals(versions.some((each: object) => "content" in each), false);
});

Deno.test("pages follow each other by next_before_version, also while the file goes on changing", async () => {
  const project = await createProject(db);
  for (let index = 1; index <= 7; index++) await save(db, project, "a", `text ${index}`);
  const seen: number[] = [];
  let before_version: number | null = null;
  do {
    const page: { versions: { version: number }[]; next_before_version: number | null } = await db.rpc(
      project.viewer.actor,
      "artifact_history",
      { project_id: project.id, file_path: "a", before_version, limit: 3 },
    );
    seen.push(...numbers(page.versions));
    before_version = page.next_before_version;
    await save(db, project, "a", `later ${seen.length}`);
  } while (before_version);
  assertEquals(seen, [7, 6, 5, 4, 3, 2, 1]);
});

Deno.test("the two ways to write ü in a path lead to one history", async () => {
  const project = await createProject(db);
  await save(db, project, "\u00fc", "one");
  const { versions } = await db.rpc(project.viewer.actor, "artifact_history", {
    project_id: project.id,
    file_path: "u\u0308",
  });
  assertEquals(versions.length, 1);
});

Deno.test("a page of a long history reads its own rows by the index and no others", async () => {
  const project = await createProject(db);
  await db.sql`
    select private.save_artifact(${project.id}, 'long', 'text ' || i, null, null, null, null, null, null)
    from generate_series(1, 1000) as i`;
  // The very statement of the migration, so that it cannot change behind this test.
  const [source] = await db.sql`select prosrc from pg_proc where oid = 'private.artifact_history'::regproc`;
  const statement = /select a\.\*\s+from public\.code_artifacts as a[\s\S]+?limit v_limit/.exec(source?.prosrc)?.[0] ??
    "";
  const text = statement.replace("p_project_id", `'${project.id}'`).replace("v_path", "'long'")
    .replace("p_before_version", "500").replace("v_limit", "50");
  const [row] = await db.sql.unsafe(`explain (analyze, format json) ${text}`);
  const scan = row?.["QUERY PLAN"][0].Plan.Plans[0];
  assertEquals(
    [scan["Node Type"], scan["Scan Direction"], scan["Index Name"], scan["Actual Rows"]],
    ["Index Scan", "Backward", "code_artifacts_one_row_per_version", 50],
  );
  assert(!scan["Rows Removed by Filter"], "It read rows for nothing");
});

Deno.test("a file that never was is artifact_not_found, and a page after the last is empty", async () => {
  const project = await createProject(db);
  const ask = { project_id: project.id, file_path: "a" };
  assertEquals((await db.refusal(project.viewer.actor, "artifact_history", ask)).code, "artifact_not_found");
  await save(db, project, "a", "one");
  assertEquals(await db.rpc(project.viewer.actor, "artifact_history", { ...ask, before_version: 1 }), {
    versions: [],
    next_before_version: null,
  });
});

for (const limit of [0, 201, -1]) {
  Deno.test(`a limit of ${limit} is validation_failed`, async () => {
    const project = await createProject(db);
    const ask = { project_id: project.id, file_path: "a", limit };
    assertEquals((await db.refusal(project.viewer.actor, "artifact_history", ask)).code, "validation_failed");
  });
}

Deno.test("an admin and a worker read it, a stranger cannot tell the project", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const ask = { project_id: project.id, file_path: "a" };
  for (const actor of [(await createAdmin(db)).actor, "worker" as const]) {
    assertEquals((await db.rpc(actor, "artifact_history", ask)).versions.length, 1);
  }
  assertEquals((await db.refusal(project.stranger.actor, "artifact_history", ask)).code, "project_not_found");
});
