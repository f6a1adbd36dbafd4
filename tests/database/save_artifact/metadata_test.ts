// save_artifact: metadata comes along with every reading of a project's files, so it is small.
import { assertEquals, assertRejects } from "@std/assert";
import { files, runTask, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { createProject, type Project } from "../../support/factories.ts";

const db = await shareDatabase();
/** As many bytes as JSON. */
const metadata = (bytes: number) => ({ k: "m".repeat(bytes - `{"k": ""}`.length) });
const ask = (project: Project, fields: Record<string, unknown>) =>
  db.rpc(project.viewer.actor, "artifact_snapshot", { project_id: project.id, ...fields });

Deno.test("metadata of 16 KiB is saved, a byte more is refused by name", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "x", { metadata: metadata(16_384) });
  const more = { project_id: project.id, file_path: "b", content: "x", metadata: metadata(16_385) };
  const { code, details } = await db.refusal(project.editor.actor, "save_artifact", more);
  assertEquals([code, details], ["validation_failed", {
    fields: [{ path: "metadata", message: "must have at most 16 KiB as JSON" }],
  }]);
});

Deno.test("a later version keeps the metadata unless it says otherwise", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one", { metadata: { by: "hand" } });
  const kept = await save(db, project, "a", "two");
  const changed = await save(db, project, "a", "three", { metadata: {} });
  assertEquals([kept.metadata, changed.metadata], [{ by: "hand" }, {}]);
});

Deno.test("a file that was deleted begins without metadata", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one", { metadata: { by: "hand" } });
  await db.rpc(project.editor.actor, "delete_artifact", { project_id: project.id, file_path: "a" });
  assertEquals((await save(db, project, "a", "two")).metadata, {});
});

Deno.test("a version from before the limit that has more does not stand in the way of the next", async () => {
  const project = await createProject(db);
  const { id } = await save(db, project, "a", "one");
  await db.sql.begin(async (tx) => {
    await tx`alter table public.code_artifacts drop constraint code_artifacts_metadata_is_small`;
    await tx`update public.code_artifacts set metadata = ${tx.json(metadata(16_385))} where id = ${id}`;
    await tx`
      alter table public.code_artifacts add constraint code_artifacts_metadata_is_small
      check (not is_active or octet_length(metadata::text) <= 16384) not valid`;
  });
  assertEquals((await save(db, project, "a", "two")).metadata, {});
});

Deno.test("a report that brings a file with more metadata is refused", async () => {
  const project = await createProject(db);
  const artifacts = [{ file_path: "a", content: "x", metadata: metadata(16_385) }];
  await assertRejects(() => runTask(db, project, artifacts), Error, "metadata");
  assertEquals(await files(db, project), {});
});

Deno.test("no other way writes a version with more", async () => {
  const project = await createProject(db);
  await runTask(db, project, [{ file_path: "a", content: "x" }]);
  const code = await db.sql.begin((tx) =>
    tx`update public.code_artifacts set metadata = ${tx.json(metadata(16_385))} where project_id = ${project.id}`
  ).then(() => "written", (error) => error.code);
  assertEquals(code, "23514");
});

for (const with_content of [false, true]) {
  const claim = `a page of a snapshot ${with_content ? "with" : "without"} contents ends after 2 MiB of metadata`;
  Deno.test(`${claim}, and the next ones have the rest`, async () => {
    const project = await createProject(db);
    const paths = Array.from({ length: 200 }, (_, index) => `f${String(index).padStart(3, "0")}`);
    for (let from = 0; from < paths.length; from += 100) {
      await runTask(
        db,
        project,
        paths.slice(from, from + 100).map((file_path) => ({ file_path, content: "", metadata: metadata(16_384) })),
      );
    }
    const found: string[] = [];
    const sizes: number[] = [];
    for (let after: string | null = ""; after !== null;) {
      const page = await ask(project, { after, with_content, limit: 1_000 });
      found.push(...page.files.map((file: { file_path: string }) => file.file_path));
      sizes.push(page.files.length);
      after = page.next_after;
    }
    assertEquals([found, sizes], [paths, [128, 72]]);
  });
}
