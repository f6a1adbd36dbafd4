// save_artifact: versions of a path have no gaps, one of them is the head, and saved text never changes.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject, type Project } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const save = (project: Project, content: string, fields: Record<string, unknown> = {}) =>
  db.rpc(project.editor.actor, "save_artifact", { project_id: project.id, file_path: "a.ts", content, ...fields });

const versionsOf = async (project: Project, path = "a.ts"): Promise<[number, boolean][]> =>
  (await db.sql`
    select version, is_active from public.code_artifacts
    where project_id = ${project.id} and file_path = ${path} order by version`).map((
    row,
  ) => [row.version, row.is_active]);

Deno.test("the first save is version 1 and the head", async () => {
  const project = await createProject(db);
  const { artifact, merged, unchanged } = await save(project, "one", { language: "typescript", metadata: { a: 1 } });
  assertEquals([artifact.version, artifact.is_active, artifact.created_by], [1, true, project.editor.id]);
  assertEquals([artifact.name, artifact.type, artifact.language, artifact.metadata], ["a.ts", "file", "typescript", {
    a: 1,
  }]);
  assertEquals([merged, unchanged], [false, false]);
});

Deno.test("the next save is the next version, and the only head", async () => {
  const project = await createProject(db);
  await save(project, "one");
  await save(project, "two");
  assertEquals(await versionsOf(project), [[1, false], [2, true]]);
});

Deno.test("a later version keeps name, language and type unless it says otherwise", async () => {
  const project = await createProject(db);
  await save(project, "one", { name: "The page", language: "tsx", type: "component" });
  const { artifact } = await save(project, "two");
  assertEquals([artifact.name, artifact.language, artifact.type], ["The page", "tsx", "component"]);
});

Deno.test("the same content again makes no version", async () => {
  const project = await createProject(db);
  const first = await save(project, "one");
  const again = await save(project, "one");
  assertEquals([again.unchanged, again.artifact.id], [true, first.artifact.id]);
  assertEquals(await versionsOf(project), [[1, true]]);
});

Deno.test("content that the file had before, but not last, is a new version", async () => {
  const project = await createProject(db);
  for (const content of ["one", "two", "one"]) await save(project, content);
  assertEquals((await versionsOf(project)).length, 3);
});

Deno.test("each path counts for itself, and each project", async () => {
  const project = await createProject(db);
  const other = await createProject(db);
  await save(project, "one");
  await save(project, "one", { file_path: "b.ts" });
  await save(other, "one");
  assertEquals([await versionsOf(project), await versionsOf(project, "b.ts"), await versionsOf(other)], [
    [[1, true]],
    [[1, true]],
    [[1, true]],
  ]);
});

Deno.test("fifty saves at once are the versions 1 to 50, with one head", async () => {
  const project = await createProject(db);
  await Promise.all(Array.from({ length: 50 }, (_, index) => save(project, `content ${index}`)));
  const versions = await versionsOf(project);
  assertEquals(versions.map(([version]) => version), Array.from({ length: 50 }, (_, index) => index + 1));
  assertEquals(versions.filter(([, isActive]) => isActive), [[50, true]]);
});

Deno.test("a save based on the head is taken", async () => {
  const project = await createProject(db);
  await save(project, "one", { base_version: 0 });
  assertEquals((await save(project, "two", { base_version: 1 })).artifact.version, 2);
});

for (const [what, base_version] of [["an older", 1], ["no", 0], ["a future", 9]] as const) {
  Deno.test(`a save based on ${what} version is an artifact_conflict that names the head`, async () => {
    const project = await createProject(db);
    await save(project, "one");
    await save(project, "two");
    const refusal = await db.refusal(project.editor.actor, "save_artifact", {
      project_id: project.id,
      file_path: "a.ts",
      content: "three",
      base_version,
    });
    assertEquals([refusal.code, refusal.sqlstate], ["artifact_conflict", "PT409"]);
    assertEquals(refusal.details, { file_path: "a.ts", head_version: 2, base_version });
    assertEquals((await versionsOf(project)).length, 2);
  });
}

Deno.test("a save with a base that is sent again, as its answer was lost, is answered with the head that it made", async () => {
  const project = await createProject(db);
  await save(project, "one");
  const { artifact } = await save(project, "two", { base_version: 1 });
  const again = await save(project, "two", { base_version: 1 });
  assertEquals([again.unchanged, again.artifact.id], [true, artifact.id]);
});

Deno.test("a save based on a version that does not exist is a conflict, also where the head is the same text", async () => {
  const project = await createProject(db);
  await save(project, "one");
  const request = { project_id: project.id, file_path: "a.ts", content: "one", base_version: 9 };
  assertEquals((await db.refusal(project.editor.actor, "save_artifact", request)).code, "artifact_conflict");
});

Deno.test("of two saves at once with the same base one is taken and one is a conflict", async () => {
  const project = await createProject(db);
  await save(project, "one");
  const request = { project_id: project.id, file_path: "a.ts", base_version: 1 };
  await using first = await openTransaction(db, project.editor.actor);
  await using second = await openTransaction(db, project.owner.actor);
  await first.rpc("save_artifact", { ...request, content: "mine" });
  const waiting = refused(second.rpc("save_artifact", { ...request, content: "yours" }));
  await waitUntilBlocked(db, second);
  await first.commit();
  assertEquals((await waiting).code, "artifact_conflict");
});

Deno.test("a save that is rolled back leaves no gap", async () => {
  const project = await createProject(db);
  await save(project, "one");
  const first = await openTransaction(db, project.editor.actor);
  await first.rpc("save_artifact", { project_id: project.id, file_path: "a.ts", content: "lost" });
  await first.rollback();
  assertEquals((await save(project, "two")).artifact.version, 2);
});

Deno.test("a path in its decomposed form is the same file as in its composed form", async () => {
  const project = await createProject(db);
  await save(project, "one", { file_path: "caf\u00e9.ts" });
  const { artifact } = await save(project, "two", { file_path: "cafe\u0301.ts" });
  assertEquals([artifact.version, artifact.file_path], [2, "caf\u00e9.ts"]);
});

Deno.test("paths that differ in case are different files", async () => {
  const project = await createProject(db);
  await save(project, "one", { file_path: "A.ts" });
  assertEquals((await save(project, "one")).artifact.version, 1);
});

Deno.test("the hash of the content is kept beside it", async () => {
  const project = await createProject(db);
  const { artifact } = await save(project, "héllo");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("héllo"));
  assertEquals(artifact.content_sha256, new Uint8Array(digest).toHex());
});
