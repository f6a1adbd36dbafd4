// GET /save-artifact/history over HTTP: the versions of a file, page by page, for members only.
import { assertEquals } from "@std/assert";
import { artifactHistory } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, assertRefused } from "../support/http.ts";
import { testCredentials } from "./access.ts";
import { get, save } from "./artifacts.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";

const path = "save-artifact/history";
let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const fresh = async () => await anotherProject(await team());
testCredentials(artifactHistory, path, team);

Deno.test("artifact_history: the pages hold every version once, newest first, as the contract has them", async () => {
  const project = await fresh();
  for (let index = 1; index <= 5; index++) await save(project, "ü a.txt", `text ${index}`);
  const query = { project_id: project.id, file_path: "ü a.txt", limit: 2 };
  const pages = [];
  let before_version: number | undefined;
  do {
    const page = assertAnswer(await get(project.viewer, path, { ...query, before_version }), artifactHistory, 200);
    pages.push(page.versions.map(({ version }: { version: number }) => version));
    before_version = page.next_before_version ?? undefined;
  } while (before_version !== undefined);
  assertEquals(pages, [[5, 4], [3, 2], [1]]);
});

Deno.test("artifact_history: a worker reads it, and an owner that of an archived project", async () => {
  const project = await fresh();
  await save(project, "a", "text");
  await setStatus(project, "archived");
  const query = { project_id: project.id, file_path: "a" };
  for (const sender of ["worker" as const, project.owner]) {
    assertEquals(assertAnswer(await get(sender, path, query), artifactHistory, 200).versions.length, 1);
  }
});

Deno.test("artifact_history: a stranger gets project_not_found, a file that never was is artifact_not_found", async () => {
  const project = await fresh();
  const query = { project_id: project.id, file_path: "a" };
  assertRefused(await get(project.viewer, path, query), "artifact_not_found");
  await save(project, "a", "text");
  assertRefused(await get(project.stranger, path, query), "project_not_found");
});

Deno.test("artifact_history: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await get(owner, path, { project_id: "x", before_version: "last", limit: 201 });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map((field: { path: string }) => field.path), [
    "project_id",
    "file_path",
    "before_version",
    "limit",
  ]);
});
