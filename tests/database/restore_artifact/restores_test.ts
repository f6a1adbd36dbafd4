// restore_artifact: an old version becomes the next one again, and nothing is taken away.
import { assertEquals } from "@std/assert";
import { contentCount, files, remove, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const restore = (actor: { user: string } | "worker", artifact_id: string) =>
  db.rpc(actor, "restore_artifact", { artifact_id });

Deno.test("the next version equals the old one in text, name, language, type and metadata", async () => {
  const project = await createProject(db);
  const fields = { name: "Page", language: "tsx", type: "component", metadata: { a: 1 } };
  const old = await save(db, project, "a", "one", fields);
  await save(db, project, "a", "two", { name: "Other", language: "js", type: "file" });
  const { artifact, unchanged } = await restore(project.owner.actor, old.id);
  assertEquals([artifact.version, artifact.is_active, artifact.restored_from, unchanged], [3, true, 1, false]);
  assertEquals([artifact.content, artifact.content_sha256], ["one", old.content_sha256]);
  assertEquals([artifact.name, artifact.language, artifact.type, artifact.metadata], ["Page", "tsx", "component", {
    a: 1,
  }]);
  assertEquals([artifact.created_by, artifact.task_id], [project.owner.id, null]);
});

Deno.test("a restore stores no text again, and the history keeps what was there", async () => {
  const project = await createProject(db);
  const old = await save(db, project, "a", "one");
  await save(db, project, "a", "two");
  await restore(project.editor.actor, old.id);
  assertEquals(await contentCount(db, project), 2);
  const rows = await db.sql`
    select public.content(a) as text from public.code_artifacts as a where project_id = ${project.id} order by version`;
  assertEquals(rows.map((row) => row.text), ["one", "two", "one"]);
});

Deno.test("a deleted file comes back", async () => {
  const project = await createProject(db);
  const old = await save(db, project, "a", "one");
  await remove(db, project, "a");
  assertEquals((await restore(project.editor.actor, old.id)).artifact.version, 3);
  assertEquals(await files(db, project), { a: "one" });
});

Deno.test("restoring what the file already is makes no version", async () => {
  const project = await createProject(db);
  const head = await save(db, project, "a", "one");
  const { artifact, unchanged } = await restore(project.editor.actor, head.id);
  assertEquals([artifact.id, artifact.content, unchanged], [head.id, "one", true]);
});

Deno.test("a deletion has nothing to restore", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const gone = await remove(db, project, "a");
  const refusal = await db.refusal(project.editor.actor, "restore_artifact", { artifact_id: gone.id });
  assertEquals(refusal.code, "validation_failed");
});

Deno.test("a stranger cannot tell an artifact from one that does not exist", async () => {
  const project = await createProject(db);
  const { id } = await save(db, project, "a", "one");
  const real = await db.refusal(project.stranger.actor, "restore_artifact", { artifact_id: id });
  const none = await db.refusal(project.stranger.actor, "restore_artifact", { artifact_id: crypto.randomUUID() });
  assertEquals(real.code, "artifact_not_found");
  assertEquals(real, none);
});

Deno.test("a viewer and an admin are forbidden, and an archived project changes for nobody", async () => {
  const project = await createProject(db);
  const { id } = await save(db, project, "a", "one");
  for (const person of [project.viewer, await createAdmin(db)]) {
    assertEquals((await db.refusal(person.actor, "restore_artifact", { artifact_id: id })).code, "forbidden");
  }
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  for (const actor of [project.owner.actor, "worker" as const]) {
    assertEquals((await db.refusal(actor, "restore_artifact", { artifact_id: id })).code, "project_not_active");
  }
});

Deno.test("thirty restores and saves at once are thirty versions without a gap", async () => {
  const project = await createProject(db);
  const old = await save(db, project, "a", "zero");
  await save(db, project, "a", "one");
  await Promise.all(
    Array.from(
      { length: 30 },
      (_, index) => index % 2 ? restore(project.editor.actor, old.id) : save(db, project, "a", `text ${index}`),
    ),
  );
  const rows = await db.sql`
    select version from public.code_artifacts where project_id = ${project.id} order by version`;
  assertEquals(rows.map((row) => row.version), rows.map((_, index) => index + 1));
});
