// A project that was filled since the last analyze looks to the planner as if it had next to no files.
import { assert, assertEquals } from "@std/assert";
import { runTask, save } from "../../support/artifacts.ts";
import { shareDatabase, type TestDatabase } from "../../support/database.ts";
import { createProject, type Project } from "../../support/factories.ts";
import { connectExplained, nodesOf, type PlanNode } from "./explain.ts";

/** Writes rows as thousands of saves would leave them. */
async function fill(db: TestDatabase, project: Project, files: number, task: string | null = null): Promise<void> {
  await db.sql`
    insert into private.artifact_contents (project_id, sha256, content)
    select ${project.id}, encode(sha256(n::text::bytea), 'hex'), n::text from generate_series(1, ${files}) as n`;
  await db.sql`
    insert into public.code_artifacts (
      project_id, task_id, name, file_path, content_sha256, content_bytes, created_by, created_at
    )
    select ${project.id}, ${task}, n::text, 'src/' || n, encode(sha256(n::text::bytea), 'hex'), 1, ${project.owner.id},
      private.artifact_moment(${project.id})
    from generate_series(1, ${files}) as n`;
}

const db = await shareDatabase();
const [small, filled] = [await createProject(db), await createProject(db)];
await fill(db, small, 300);
await db.sql`analyze`;
await fill(db, filled, 30000);

/** Rows that one look at a table reads. */
const rowsRead = (node: PlanNode) => node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0);

for (
  const [name, call] of Object.entries({
    "a save": "public.save_artifact(project_id := $1, file_path := 'src/1500', content := 'new')",
    "a deletion": "public.delete_artifact(project_id := $1, file_path := 'src/1501')",
    "a history": "public.artifact_history(project_id := $1, file_path := 'src/1502')",
    "each step of a snapshot": `public.artifact_snapshot(project_id := $1, "limit" := 100, with_content := true)`,
  })
) {
  Deno.test(`${name} reads one path, although the statistics know nothing of the project`, async () => {
    await using explained = await connectExplained(db);
    const plans = await explained.plansInside(() => explained.sql.unsafe(`select ${call}`, [filled.id]));
    const looks = plans
      .flatMap(({ Plan }) => nodesOf(Plan))
      .filter((node) => /^(code_artifacts|artifact_contents)$/.test(node["Relation Name"] ?? ""))
      .filter((node) => node["Node Type"].includes("Scan"));
    assert(looks.length > 0);
    assertEquals(looks.filter((look) => rowsRead(look) > 2).map((look) => [look["Index Name"], rowsRead(look)]), []);
  });
}

Deno.test("a revert looks at one version at a time, although the statistics know nothing of the project", async () => {
  const project = await createProject(db);
  const { execution, task } = await runTask(db, project, []);
  await fill(db, project, 2000, task);
  // Of some there is something to weigh: others wrote them and put them back.
  for (const path of ["src/1", "src/2", "src/3"]) {
    const [row] = await db.sql`
      select id from public.code_artifacts where project_id = ${project.id} and file_path = ${path}`;
    await save(db, project, path, "mine");
    await db.rpc(project.editor.actor, "restore_artifact", { artifact_id: row?.id });
  }
  await using explained = await connectExplained(db);
  const plans = await explained.plansInside(() => explained.sql`select public.revert_execution(${execution}::uuid)`);
  const looks = plans
    .flatMap(({ Plan }) => nodesOf(Plan))
    .filter((node) => node["Relation Name"] === "code_artifacts" && node["Node Type"].includes("Scan"))
    .filter((node) => node["Actual Loops"] > 1);
  assert(looks.length > 5);
  assertEquals(looks.filter((look) => rowsRead(look) > 2).map((look) => [look["Index Name"], rowsRead(look)]), []);
  const [{ left } = { left: null }] = await db.sql`
    select count(*)::int as left from public.code_artifacts where project_id = ${project.id} and is_active`;
  assertEquals(left, 0);
});
