// A project that was filled since the last analyze looks to the planner as if it had next to no files.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase, type TestDatabase } from "../../support/database.ts";
import { createProject, type Project } from "../../support/factories.ts";
import { connectExplained, nodesOf, type PlanNode } from "./explain.ts";

/** Writes rows as thousands of saves would leave them. */
async function fill(db: TestDatabase, project: Project, files: number): Promise<void> {
  await db.sql`
    insert into private.artifact_contents (project_id, sha256, content)
    select ${project.id}, encode(sha256(n::text::bytea), 'hex'), n::text from generate_series(1, ${files}) as n`;
  await db.sql`
    insert into public.code_artifacts (project_id, name, file_path, content_sha256, content_bytes, created_by, created_at)
    select ${project.id}, n::text, 'src/' || n, encode(sha256(n::text::bytea), 'hex'), 1, ${project.owner.id},
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
