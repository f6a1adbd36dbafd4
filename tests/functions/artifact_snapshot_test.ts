// GET /save-artifact/snapshot over HTTP: the files of a project at a moment, as JSON and as a zip.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { artifactSnapshot } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, assertRefused, type Body, type Sender } from "../support/http.ts";
import { archive } from "../../supabase/functions/save-artifact/archive.ts";
import { stack } from "../support/stack.ts";
import { testCredentials } from "./access.ts";
import { get, runTask, save } from "./artifacts.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";
import { unzip } from "./unzip.ts";

const path = "save-artifact/snapshot";
let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const fresh = async () => await anotherProject(await team());
testCredentials(artifactSnapshot, path, team);

const textsOf = (files: Body[]) => Object.fromEntries(files.map(({ file_path, content }) => [file_path, content]));

/** Downloads a zip as a person does; `call` would read it as JSON. */
async function download(sender: Sender, query: Record<string, string>): Promise<Response> {
  const headers: Record<string, string> = sender === "worker"
    ? { apikey: stack.secretKey }
    : { apikey: stack.publishableKey, authorization: `Bearer ${(sender as { token: string }).token}` };
  return await fetch(`${stack.url}/functions/v1/${path}?${new URLSearchParams({ ...query, format: "zip" })}`, {
    headers,
  });
}

Deno.test("artifact_snapshot: the files that stand, with their texts when asked, as the contract has them", async () => {
  const project = await fresh();
  for (const [file, text] of [["b", "two"], ["a", "one"], ["a", "newer"]] as const) await save(project, file, text);
  const query = { project_id: project.id };
  const plain = assertAnswer(await get(project.viewer, path, query), artifactSnapshot, 200);
  assertEquals(plain.files.map((file: Body) => [file.file_path, file.version, "content" in file]), [
    ["a", 2, false],
    ["b", 1, false],
  ]);
  const reply = await get(project.viewer, path, { ...query, with_content: true });
  assertEquals(textsOf(assertAnswer(reply, artifactSnapshot, 200).files), { a: "newer", b: "two" });
});

Deno.test("artifact_snapshot: a moment as JavaScript writes it is the moment of that version", async () => {
  const project = await fresh();
  const { created_at } = await save(project, "a", "one");
  await new Promise((resolve) => setTimeout(resolve, 2));
  await save(project, "a", "two");
  const query = { project_id: project.id, at: new Date(created_at).toISOString(), with_content: true };
  const { files } = assertAnswer(await get(project.viewer, path, query), artifactSnapshot, 200);
  assertEquals(textsOf(files), { a: "one" });
});

Deno.test("artifact_snapshot: as of an execution, page after page", async () => {
  const project = await fresh();
  const made = ["a", "b", "c"].map((file_path) => ({ file_path, content: `made ${file_path}` }));
  const execution = await runTask(project, made);
  await save(project, "b", "later");
  const first = assertAnswer(
    await get("worker", path, { project_id: project.id, execution_id: execution.id, limit: 2, with_content: true }),
    artifactSnapshot,
    200,
  );
  assertEquals([textsOf(first.files), first.next_after], [{ a: "made a", b: "made b" }, "b"]);
  const query = { project_id: project.id, at: first.at, after: first.next_after, with_content: true };
  const second = assertAnswer(await get("worker", path, query), artifactSnapshot, 200);
  assertEquals([textsOf(second.files), second.next_after], [{ c: "made c" }, null]);
});

Deno.test("artifact_snapshot: a HEAD is answered as a GET would be, without what it brings", async () => {
  const project = await fresh();
  await save(project, "a", "x");
  for (const format of ["json", "zip"]) {
    const url = `${stack.url}/functions/v1/${path}?${new URLSearchParams({ project_id: project.id, format })}`;
    const headers = { apikey: stack.publishableKey, authorization: `Bearer ${project.viewer.token}` };
    const head = await fetch(url, { method: "HEAD", headers });
    const type = format === "zip" ? "application/octet-stream" : "application/json";
    assertEquals([head.status, head.headers.get("content-type"), await head.text()], [200, type, ""]);
  }
});

Deno.test("artifact_snapshot: refusals come as JSON, for a zip too", async () => {
  const project = await fresh();
  for (const format of ["json", "zip"]) {
    const query = { project_id: project.id, format };
    assertRefused(await get(project.stranger, path, query), "project_not_found");
    assertRefused(
      await get(project.viewer, path, { ...query, execution_id: crypto.randomUUID() }),
      "execution_not_found",
    );
    assertRefused(await get(project.viewer, path, { ...query, at: "yesterday" }), "validation_failed");
  }
});

Deno.test("artifact_snapshot: a former collaborator gets no zip any more", async () => {
  const project = await fresh();
  await save(project, "a", "one");
  assertEquals(
    (await project.owner.client.from("project_collaborators").delete().eq("user_id", project.viewer.id)
      .eq("project_id", project.id)).error,
    null,
  );
  assertRefused(await get(project.viewer, path, { project_id: project.id, format: "zip" }), "project_not_found");
});

Deno.test("artifact_snapshot: the zip holds every file byte for byte, under its own name", async () => {
  const project = await fresh();
  const files: Record<string, string> = {
    "README.md": "# grüße 👋\r\n",
    "src/[id]/日本語.ts": "x".repeat(100_000),
    "empty": "",
    "docs/👩\u200d💻.md": "\u0301combining",
    ".env.example": "A=1\n",
  };
  for (const [file, text] of Object.entries(files)) await save(project, file, text);
  const response = await download(project.viewer, { project_id: project.id });
  assertEquals([response.status, response.headers.get("content-type")], [200, "application/octet-stream"]);
  assertMatch(response.headers.get("content-disposition") ?? "", /^attachment; filename="project-[\w-]+\.zip"$/);
  assert(response.headers.get("x-request-id"));
  assertEquals(unzip(new Uint8Array(await response.arrayBuffer())), files);
});

Deno.test("artifact_snapshot: supabase.functions.invoke gives the zip's bytes", async () => {
  const project = await fresh();
  await save(project, "a.txt", "grüße");
  const { data, error } = await project.viewer.client.functions.invoke(
    `save-artifact/snapshot?project_id=${project.id}&format=zip`,
    { method: "GET" },
  );
  assertEquals(error, null);
  assert(data instanceof Blob);
  assertEquals(unzip(new Uint8Array(await data.arrayBuffer())), { "a.txt": "grüße" });
});

Deno.test("artifact_snapshot: a zip larger than a page is one moment, whole, and holds no deleted file", async () => {
  const project = await fresh();
  for (let index = 0; index < 9; index++) await save(project, `f${index}`, String(index).repeat(1_000_000));
  const response = await download(project.viewer, { project_id: project.id });
  const reader = response.body!.getReader();
  const chunks = [(await reader.read()).value!];
  // The first page is on its way, so the moment is taken.
  await save(project, "f8", "changed");
  await save(project, "f9", "new");
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  const files = unzip(new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()));
  assertEquals(Object.keys(files), Array.from({ length: 9 }, (_, index) => `f${index}`));
  assertEquals(files["f8"], "8".repeat(1_000_000));
});

for (const count of [65_534, 65_535, 70_000]) {
  Deno.test(`artifact_snapshot: a zip of ${count} files counts them all`, async () => {
    async function* files() {
      for (let index = 0; index < count; index++) yield { name: `f${index}`, input: "", lastModified: new Date() };
    }
    const zip = new Uint8Array(await new Response(archive(files())).arrayBuffer());
    assertEquals(Object.keys(unzip(zip)).length, count);
  });
}

Deno.test("artifact_snapshot: a download that can go no further breaks off, and never ends as if it were whole", async () => {
  const project = await fresh();
  // More than the sockets on the way hold.
  for (let index = 0; index < 40; index++) await save(project, `f${index}`, `${index} `.repeat(300_000));
  const response = await download(project.viewer, { project_id: project.id });
  const reader = response.body!.getReader();
  await reader.read();
  const { error } = await project.owner.client.from("project_collaborators").delete()
    .eq("project_id", project.id).eq("user_id", project.viewer.id);
  assertEquals(error, null);
  const readOn = async () => {
    while (!(await reader.read()).done);
    return "ended";
  };
  assertEquals(await readOn().catch(() => "broke off"), "broke off");
});

Deno.test("artifact_snapshot: a project without files is an empty zip, and an archived one can still be downloaded", async () => {
  const project = await fresh();
  assertEquals(unzip(new Uint8Array(await (await download("worker", { project_id: project.id })).arrayBuffer())), {});
  await save(project, "a", "one");
  await setStatus(project, "archived");
  assertEquals(
    unzip(new Uint8Array(await (await download(project.owner, { project_id: project.id })).arrayBuffer())),
    { a: "one" },
  );
});

Deno.test("artifact_snapshot: a moment beyond the calendar is refused, and one at its edge is answered as it is", async () => {
  const project = await fresh();
  for (const at of ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]) {
    assertRefused(await get(project.viewer, path, { project_id: project.id, at }), "validation_failed");
  }
  // PostgreSQL knows no such offset.
  const at = "2026-01-01T00:00:00+23:59";
  assertRefused(await get(project.viewer, path, { project_id: project.id, at }), "validation_failed");
  const first = await get(project.viewer, path, { project_id: project.id, at: "0001-01-01T00:00:00Z" });
  assertEquals(assertAnswer(first, artifactSnapshot, 200).files, []);
});
