// revert_execution: an execution is itself and all that ran inside it.
import { assertEquals } from "@std/assert";
import { files, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { createProject, type Project } from "../../support/factories.ts";
import { completeNode, startNested } from "../../support/nested.ts";

const db = await shareDatabase();
const revert = (project: Project, execution_id: string) =>
  db.rpc(project.editor.actor, "revert_execution", { execution_id });

Deno.test("what ran inside is undone with it at any depth, also where several of them wrote one file", async () => {
  const project = await createProject(db);
  await save(db, project, "shared", "before");
  const [outer = "", middle = "", inner = ""] = await startNested(db, project, 2);
  const shared = (content: string) => ({ file_path: "shared", content });
  await completeNode(db, inner, "work", [shared("one"), { file_path: "deep", content: "new" }]);
  await completeNode(db, middle, "after", [shared("two")]);
  await completeNode(db, outer, "after", [shared("three")]);
  assertEquals((await revert(project, outer)).kept, []);
  assertEquals(await files(db, project), { shared: "before" });
});

Deno.test("a file that somebody wrote after what ran inside is kept, with who", async () => {
  const project = await createProject(db);
  const [outer = "", inner = ""] = await startNested(db, project, 1);
  await completeNode(db, inner, "work", [{ file_path: "a", content: "inside" }, { file_path: "b", content: "inside" }]);
  await save(db, project, "a", "mine");
  await completeNode(db, outer, "after", []);
  const { reverted, kept } = await revert(project, outer);
  assertEquals(kept, [{ file_path: "a", reason: "changed_since", version: 2, created_by: project.editor.id }]);
  assertEquals(reverted.map((each: { file_path: string }) => each.file_path), ["b"]);
});

Deno.test("what ran inside can be undone alone, while the other is still at work", async () => {
  const project = await createProject(db);
  const [outer = "", inner = ""] = await startNested(db, project, 1);
  await completeNode(db, inner, "work", [{ file_path: "a", content: "inside" }]);
  assertEquals((await revert(project, inner)).reverted.length, 1);
  assertEquals(await files(db, project), {});
  assertEquals(
    (await db.refusal(project.editor.actor, "revert_execution", { execution_id: outer })).code,
    "execution_still_running",
  );
});

Deno.test("of what is undone alone nothing is touched that the other wrote", async () => {
  const project = await createProject(db);
  const [outer = "", inner = ""] = await startNested(db, project, 1);
  await completeNode(db, inner, "work", [{ file_path: "a", content: "inside" }]);
  await completeNode(db, outer, "after", [{ file_path: "b", content: "outside" }]);
  await revert(project, inner);
  assertEquals(await files(db, project), { b: "outside" });
});

Deno.test("what ran inside is undone first and what it ran in after it, also of files that both wrote", async () => {
  const project = await createProject(db);
  await save(db, project, "changed", "before");
  await save(db, project, "deleted", "before");
  const [outer = "", inner = ""] = await startNested(db, project, 1, [
    { file_path: "changed", content: "outer" },
    { file_path: "deleted", deleted: true },
    { file_path: "made", content: "outer" },
  ]);
  const paths = ["changed", "deleted", "made"];
  await completeNode(db, inner, "work", paths.map((file_path) => ({ file_path, content: "inner" })));
  await completeNode(db, outer, "after", []);
  await revert(project, inner);
  assertEquals(await files(db, project), { changed: "outer", made: "outer" });
  assertEquals((await revert(project, outer)).kept, []);
  assertEquals(await files(db, project), { changed: "before", deleted: "before" });
});

Deno.test("what somebody wrote over what ran inside is kept, also after that was put back to an earlier text", async () => {
  const project = await createProject(db);
  const [outer = "", inner = ""] = await startNested(db, project, 1, [{ file_path: "a", content: "outer" }]);
  await completeNode(db, inner, "work", [{ file_path: "a", content: "inner" }]);
  const mine = await save(db, project, "a", "mine");
  await save(db, project, "a", "other");
  await db.rpc(project.editor.actor, "restore_artifact", { artifact_id: mine.id });
  await completeNode(db, outer, "after", []);
  assertEquals((await revert(project, outer)).kept.map((each: { reason: string }) => each.reason), ["changed_since"]);
  assertEquals(await files(db, project), { a: "mine" });
});

Deno.test("another execution and what ran inside it, that came to nothing together, keep nothing from being undone", async () => {
  const project = await createProject(db);
  const [first = "", inFirst = ""] = await startNested(db, project, 1);
  await completeNode(db, inFirst, "work", [{ file_path: "a", content: "first" }]);
  await completeNode(db, first, "after", []);
  const [other = "", inOther = ""] = await startNested(db, project, 1, [{ file_path: "a", content: "other" }]);
  await completeNode(db, inOther, "work", [{ file_path: "a", content: "first" }]);
  await completeNode(db, other, "after", []);
  assertEquals((await revert(project, first)).kept, []);
  assertEquals(await files(db, project), {});
});

Deno.test("what ran around an execution is no other one, and what it put back is kept", async () => {
  const project = await createProject(db);
  const [outer = "", inner = ""] = await startNested(db, project, 1);
  await completeNode(db, inner, "work", [{ file_path: "a", content: "inner" }]);
  await completeNode(db, outer, "after", [{ file_path: "a", content: "outer" }, { file_path: "a", content: "inner" }]);
  assertEquals((await revert(project, inner)).kept[0].reason, "changed_since");
});
