// POST /save-artifact over HTTP: versions of a file, and the refusal that keeps a change from being lost.
import { assert, assertEquals } from "@std/assert";
import { saveArtifact } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, assertRefused, type Body, call, type Reply, type Sender } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimTask, type Project } from "./project.ts";

const team = testAccess({
  path: "save-artifact",
  operation: saveArtifact,
  body: (project) => Promise.resolve({ project_id: project.id, file_path: "a.txt", content: "text" }),
  stranger: "project_not_found",
  editor: "allowed",
});

const fresh = async () => await anotherProject(await team());
const save = (sender: Sender, project: Project, fields: Record<string, unknown> = {}): Promise<Reply> =>
  call(sender, "save-artifact", { project_id: project.id, file_path: "a.txt", content: "text", ...fields });

Deno.test("save_artifact: the first save answers 201 with version 1, as the contract has it", async () => {
  const project = await fresh();
  const fields = { file_path: "src/deep/main.ts", content: "let a = 1;\n", language: "ts", metadata: { by: "hand" } };
  const { artifact, merged } = assertAnswer(await save(project.editor, project, fields), saveArtifact, 201);
  assertEquals([artifact.version, artifact.is_active, artifact.name, artifact.type], [1, true, "main.ts", "file"]);
  assertEquals([artifact.language, artifact.content, artifact.metadata], ["ts", "let a = 1;\n", { by: "hand" }]);
  assertEquals([artifact.created_by, artifact.project_id, merged], [project.editor.id, project.id, false]);
});

Deno.test("save_artifact: the hash is the sha256 of the content's bytes", async () => {
  const project = await fresh();
  const content = "grüße 👋\r\n\ttab";
  const { artifact } = assertAnswer(await save(project.editor, project, { content }), saveArtifact, 201);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content)));
  assertEquals([artifact.content, artifact.content_sha256], [content, hash.toHex()]);
});

Deno.test("save_artifact: each change is one version more, and only the last is active", async () => {
  const project = await fresh();
  for (const content of ["one", "two", "three"]) await save(project.editor, project, { content });
  const { data } = await project.owner.client.from("code_artifacts").select("version, content, is_active")
    .eq("project_id", project.id).order("version");
  assertEquals(data, [
    { version: 1, content: "one", is_active: false },
    { version: 2, content: "two", is_active: false },
    { version: 3, content: "three", is_active: true },
  ]);
});

Deno.test("save_artifact: the content that is there already answers 200 and makes no version", async () => {
  const project = await fresh();
  const first = assertAnswer(await save(project.editor, project), saveArtifact, 201);
  const again = assertAnswer(await save(project.owner, project), saveArtifact, 200);
  assertEquals(again, first);
});

Deno.test("save_artifact: a changed name, language or metadata is a version too, as nothing sent may be lost", async () => {
  const project = await fresh();
  await save(project.editor, project);
  const reply = await save(project.editor, project, { metadata: { reviewed: true } });
  const { artifact } = assertAnswer(reply, saveArtifact, 201);
  assertEquals([artifact.version, artifact.metadata], [2, { reviewed: true }]);
});

Deno.test("save_artifact: an empty file can be saved", async () => {
  const project = await fresh();
  const { artifact } = assertAnswer(await save(project.editor, project, { content: "" }), saveArtifact, 201);
  assertEquals(artifact.content, "");
});

Deno.test("save_artifact: two hundred saves at once are two hundred versions without a gap, and none is lost", async () => {
  const project = await fresh();
  const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`);
  const replies = await Promise.all(texts.map((content) => save(project.editor, project, { content })));
  assertEquals(replies.map(({ status }) => status), Array(200).fill(201));
  const { data } = await project.owner.client.from("code_artifacts").select("id, version, content, is_active")
    .eq("project_id", project.id).order("version");
  assertEquals(data?.map(({ version }) => version), Array.from({ length: 200 }, (_, index) => index + 1));
  assertEquals(data?.filter(({ is_active }) => is_active).length, 1);
  const kept = new Map(data?.map(({ id, content }) => [id, content]));
  assertEquals(replies.map((reply) => kept.get(reply.body.artifact.id)), texts);
});

Deno.test("save_artifact: a save that names its task is kept with it", async () => {
  const project = await fresh();
  const { id } = await claimTask(project);
  const { artifact } = assertAnswer(await save("worker", project, { task_id: id }), saveArtifact, 201);
  assertEquals([artifact.task_id, artifact.created_by], [id, null]);
});

Deno.test("save_artifact: a save under a lease that does not hold the task is task_lease_lost", async () => {
  const project = await fresh();
  const { id, lease_token } = await claimTask(project);
  assertAnswer(await save("worker", project, { task_id: id, lease_token }), saveArtifact, 201);
  const late = { task_id: id, lease_token: crypto.randomUUID(), content: "late" };
  assertRefused(await save("worker", project, late), "task_lease_lost");
});

Deno.test("save_artifact: a task of another project is task_not_found", async () => {
  const [project, other] = [await fresh(), await fresh()];
  const { id } = await claimTask(other);
  for (const task_id of [id, crypto.randomUUID()]) {
    assertRefused(await save(project.editor, project, { task_id }), "task_not_found");
  }
});

Deno.test("save_artifact: a moved file is artifact_conflict with base, head and both sides' hunks", async () => {
  const project = await fresh();
  await save(project.editor, project, { content: "a\nb\nc\n" });
  await save(project.owner, project, { content: "a\nB\nc\n" });
  const reply = await save(project.editor, project, { content: "a\nβ\nc\n", base_version: 1 });
  assertRefused(reply, "artifact_conflict");
  const { details } = reply.body.error;
  assertEquals([details.file_path, details.base_version, details.head_version], ["a.txt", 1, 2]);
  assertEquals(details.base, { version: 1, content: "a\nb\nc\n" });
  assertEquals([details.head.version, details.head.content, details.head.created_by], [
    2,
    "a\nB\nc\n",
    project.owner.id,
  ]);
  const change = ([hunk]: Body[]) => [hunk.buffer1.offset, hunk.buffer1.chunk, hunk.buffer2.chunk];
  assertEquals(change(details.hunks.yours), [1, ["b\n"], ["β\n"]]);
  assertEquals(change(details.hunks.theirs), [1, ["b\n"], ["B\n"]]);
  assertEquals(details.mergeable, false);
});

Deno.test("save_artifact: a conflict says what was sent beside the text as it is in the base", async () => {
  const project = await fresh();
  const fields = { name: "Plan", type: "snippet", metadata: { by: { whom: "Ada" }, at: 1 } };
  await save(project.editor, project, { content: "one\n", language: "markdown", ...fields });
  await save(project.owner, project, { content: "two\n" });
  const sent = { name: "Plan", language: "text", metadata: { at: 1, by: { whom: "Ada" } } };
  const reply = await save(project.editor, project, { content: "three\n", base_version: 1, ...sent });
  assertRefused(reply, "artifact_conflict");
  assertEquals(reply.body.error.details.unchanged, ["name", "metadata"]);
});

Deno.test("save_artifact: with the head as its base a save goes through", async () => {
  const project = await fresh();
  await save(project.editor, project, { content: "one" });
  const { artifact } = assertAnswer(
    await save(project.editor, project, { content: "two", base_version: 1 }),
    saveArtifact,
    201,
  );
  assertEquals(artifact.version, 2);
});

Deno.test("save_artifact: base_version 0 makes a file that must not exist yet", async () => {
  const project = await fresh();
  assertEquals((await save(project.editor, project, { base_version: 0 })).status, 201);
  assertRefused(await save(project.editor, project, { content: "other", base_version: 0 }), "artifact_conflict");
});

Deno.test("save_artifact: a base that never was is artifact_conflict, even when merging", async () => {
  const project = await fresh();
  await save(project.editor, project);
  for (const on_conflict of ["fail", "merge"]) {
    const reply = await save(project.editor, project, { content: "other", base_version: 9, on_conflict });
    assertRefused(reply, "artifact_conflict");
    assertEquals(reply.body.error.details.head_version, 1);
  }
});

Deno.test("save_artifact: a base that never was is told with the head, and how the text differs from it", async () => {
  const project = await fresh();
  await save(project.editor, project, { content: "one\ntwo\n" });
  const reply = await save(project.editor, project, { content: "one\n2\n", base_version: 9 });
  const { base, head, hunks, mergeable } = reply.body.error.details;
  assertEquals([base, head.content, mergeable, hunks.theirs], [null, "one\ntwo\n", false, []]);
  assertEquals(hunks.yours.map((hunk: Body) => hunk.buffer2.chunk), [["2\n"]]);
});

for (const file_path of ["../up", "/abs", "a//b", "a/./b", "a/../b", "a/", "line\nbreak", "x".repeat(1024) + "ü"]) {
  Deno.test(`save_artifact: the path ${JSON.stringify(file_path.slice(0, 12))} is refused by the field's name`, async () => {
    const project = await fresh();
    const reply = await save(project.editor, project, { file_path });
    assertRefused(reply, "validation_failed");
    const [field] = reply.body.error.details.fields;
    assertEquals(field.path, "file_path");
    assert(typeof field.message === "string" && field.message.length > 0, "The field has no message");
  });
}

Deno.test("save_artifact: a path of 1,024 bytes with folders and dots in names is taken", async () => {
  const project = await fresh();
  const file_path = `.github/a..b/${"x".repeat(1011)}`;
  const { artifact } = assertAnswer(await save(project.editor, project, { file_path }), saveArtifact, 201);
  assertEquals(artifact.file_path, file_path);
});

Deno.test("save_artifact: a content of 1 MiB is taken, one byte more in UTF-8 is not", async () => {
  const project = await fresh();
  assertEquals((await save(project.editor, project, { content: "x".repeat(1_048_576) })).status, 201);
  for (const content of ["ü" + "x".repeat(1_048_575), "x".repeat(1_048_577)]) {
    assertRefused(await save(project.editor, project, { content }), "payload_too_large");
  }
});

Deno.test("save_artifact: the two ways to write ü in a path are one file", async () => {
  const project = await fresh();
  await save(project.editor, project, { file_path: "u\u0308.txt", content: "one" });
  const { artifact } = assertAnswer(
    await save(project.editor, project, { file_path: "\u00fc.txt", content: "two" }),
    saveArtifact,
    201,
  );
  assertEquals(artifact.version, 2);
});

Deno.test("save_artifact: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, "save-artifact", {
    project_id: "x",
    file_path: "",
    type: "page",
    metadata: [],
    base_version: -1,
    on_conflict: "overwrite",
  });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), [
    "project_id",
    "file_path",
    "content",
    "type",
    "metadata",
    "base_version",
    "on_conflict",
  ]);
});
