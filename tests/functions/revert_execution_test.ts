// POST /save-artifact/revert-execution over HTTP: undoes one run's work and nobody else's.
import { assertEquals } from "@std/assert";
import { revertExecution } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { filesOf, runTask, save } from "./artifacts.ts";
import { anotherProject, startExecution } from "./project.ts";

const path = "save-artifact/revert-execution";
const team = testAccess({
  path,
  operation: revertExecution,
  body: async (project) => ({ execution_id: (await runTask(project, [{ file_path: "a", content: "made" }])).id }),
  stranger: "execution_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

Deno.test("revert_execution: says what came back and what was kept, and why", async () => {
  const project = await fresh();
  await save(project, "old.txt", "before");
  const { id } = await runTask(project, [
    { file_path: "old.txt", content: "after" },
    { file_path: "new.txt", content: "after" },
    { file_path: "touched.txt", content: "after" },
  ]);
  await save(project, "touched.txt", "mine");
  const reply = await call(project.owner, path, { execution_id: id });
  const { reverted, kept } = assertAnswer(reply, revertExecution, 200);
  assertEquals(reverted.map((each: Record<string, unknown>) => [each.file_path, each.restored_from, each.is_deleted]), [
    ["new.txt", null, true],
    ["old.txt", 1, false],
  ]);
  assertEquals(kept, [
    { file_path: "touched.txt", reason: "changed_since", version: 2, created_by: project.editor.id },
  ]);
  assertEquals(await filesOf(project), { "old.txt": "before", "touched.txt": "mine" });
});

Deno.test("revert_execution: a second time everything is already as before", async () => {
  const project = await fresh();
  const { id } = await runTask(project, [{ file_path: "a", content: "made" }]);
  await call(project.owner, path, { execution_id: id });
  const { reverted, kept } = assertAnswer(await call(project.owner, path, { execution_id: id }), revertExecution, 200);
  assertEquals([reverted, kept[0].reason], [[], "already_as_before"]);
});

Deno.test("revert_execution: one that still runs is execution_still_running", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  assertRefused(await call(project.owner, path, { execution_id: execution.id }), "execution_still_running");
});
