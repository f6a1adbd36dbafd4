// POST /save-artifact/restore over HTTP: an old version becomes the next one again.
import { assertEquals } from "@std/assert";
import { deleteArtifact, restoreArtifact } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { filesOf, save } from "./artifacts.ts";
import { anotherProject } from "./project.ts";

const path = "save-artifact/restore";
const team = testAccess({
  path,
  operation: restoreArtifact,
  body: async (project) => ({ artifact_id: (await save(project, "a.txt", "text")).id }),
  stranger: "artifact_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("restore_artifact: answers 201 with the new version and its text, byte for byte the old one", async () => {
  const project = await fresh();
  const text = "grüße 👋\r\n\ttab\u0301";
  const old = await save(project, "a.txt", text, { metadata: { by: "hand" } });
  await save(project, "a.txt", "other");
  const reply = await call(project.owner, path, { artifact_id: old.id });
  const { artifact } = assertAnswer(reply, restoreArtifact, 201);
  assertEquals([artifact.version, artifact.restored_from, artifact.content, artifact.content_sha256], [
    3,
    1,
    text,
    old.content_sha256,
  ]);
  assertEquals([artifact.metadata, artifact.created_by], [{ by: "hand" }, project.owner.id]);
  assertEquals(await filesOf(project), { "a.txt": text });
});

Deno.test("restore_artifact: the version that stands answers 200 and makes none", async () => {
  const project = await fresh();
  const { id } = await save(project, "a.txt", "text");
  assertEquals(
    assertAnswer(await call(project.editor, path, { artifact_id: id }), restoreArtifact, 200).artifact.id,
    id,
  );
});

Deno.test("restore_artifact: a deletion is validation_failed, what was deleted comes back", async () => {
  const project = await fresh();
  const old = await save(project, "a.txt", "text");
  const gone = assertAnswer(
    await call(project.editor, "save-artifact/delete", { project_id: project.id, file_path: "a.txt" }),
    deleteArtifact,
    201,
  ).artifact;
  assertRefused(await call(project.editor, path, { artifact_id: gone.id }), "validation_failed");
  assertEquals((await call(project.editor, path, { artifact_id: old.id })).status, 201);
  assertEquals(await filesOf(project), { "a.txt": "text" });
});
