// POST /save-artifact/delete over HTTP: a deletion is a version, and refuses what would take another's change along.
import { assertEquals } from "@std/assert";
import { deleteArtifact } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { filesOf, runTask, save } from "./artifacts.ts";
import { anotherProject, claimTask, type Project } from "./project.ts";

const path = "save-artifact/delete";
const team = testAccess({
  path,
  operation: deleteArtifact,
  body: async (project) => {
    await save(project, "a.txt", "text");
    return { project_id: project.id, file_path: "a.txt" };
  },
  stranger: "project_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());
const remove = (project: Project, fields = {}) =>
  call(project.editor, path, { project_id: project.id, file_path: "a.txt", ...fields });

Deno.test("delete_artifact: answers 201 with the version that says so, and 200 with the same when sent again", async () => {
  const project = await fresh();
  await save(project, "a.txt", "text");
  const { artifact } = assertAnswer(await remove(project), deleteArtifact, 201);
  assertEquals([artifact.version, artifact.is_deleted, artifact.is_active, artifact.content_bytes], [
    2,
    true,
    false,
    null,
  ]);
  assertEquals(assertAnswer(await remove(project), deleteArtifact, 200).artifact, artifact);
  assertEquals(await filesOf(project), {});
});

Deno.test("delete_artifact: a file that was saved since base_version is artifact_conflict and stays", async () => {
  const project = await fresh();
  for (const text of ["one", "two"]) await save(project, "a.txt", text);
  const reply = await remove(project, { base_version: 1 });
  assertRefused(reply, "artifact_conflict");
  assertEquals(reply.body.error.details, { file_path: "a.txt", base_version: 1, head_version: 2 });
  assertEquals(await filesOf(project), { "a.txt": "two" });
});

Deno.test("delete_artifact: a file that never was is artifact_not_found", async () => {
  assertRefused(await remove(await fresh()), "artifact_not_found");
});

Deno.test("delete_artifact: a task of another project is task_not_found", async () => {
  const [project, other] = [await fresh(), await fresh()];
  await save(project, "a.txt", "text");
  assertRefused(await remove(project, { task_id: (await claimTask(other)).id }), "task_not_found");
});

Deno.test("delete_artifact: a change to a file that was deleted meanwhile is refused, never merged", async () => {
  const project = await fresh();
  await save(project, "a.txt", "one\n");
  await remove(project);
  for (const on_conflict of ["fail", "merge"]) {
    const body = { project_id: project.id, file_path: "a.txt", content: "one\nmore\n", base_version: 1, on_conflict };
    const reply = await call(project.owner, "save-artifact", body);
    assertRefused(reply, "artifact_conflict");
    const { base, head, mergeable } = reply.body.error.details;
    assertEquals([base.content, head.version, head.content, head.is_deleted, mergeable], [
      "one\n",
      2,
      null,
      true,
      false,
    ]);
  }
});

Deno.test("delete_artifact: a task deletes with its completion, and the history knows the task", async () => {
  const project = await fresh();
  await save(project, "a.txt", "text");
  await runTask(project, [{ file_path: "a.txt", deleted: true }, { file_path: "b.txt", content: "new" }]);
  assertEquals(await filesOf(project), { "b.txt": "new" });
  const { data } = await project.viewer.client.from("artifact_provenance")
    .select("is_deleted, node_id, workflow_version, started_by").eq("project_id", project.id).eq("file_path", "a.txt")
    .eq("version", 2).single();
  assertEquals(data, { is_deleted: true, node_id: "a", workflow_version: 1, started_by: project.owner.id });
});
