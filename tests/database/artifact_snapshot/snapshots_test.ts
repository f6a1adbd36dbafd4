// artifact_snapshot: every file as it was at a moment or at the end of an execution, the same on every page.
import { assert, assertEquals } from "@std/assert";
import { remove, runTask, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, graph, type Project, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();

interface File {
  file_path: string;
  version: number;
  content?: string;
}
const ask = (project: Project, fields: Record<string, unknown> = {}) =>
  db.rpc(project.viewer.actor, "artifact_snapshot", { project_id: project.id, ...fields });
const textsOf = async (project: Project, fields: Record<string, unknown> = {}): Promise<Record<string, string>> => {
  const { files } = await ask(project, { with_content: true, ...fields });
  return Object.fromEntries(files.map(({ file_path, content }: File) => [file_path, content]));
};

Deno.test("without a moment it is the files that stand now, in the order of their paths", async () => {
  const project = await createProject(db);
  for (const path of ["c", "a", "b/d"]) await save(db, project, path, `at ${path}`);
  await save(db, project, "a", "newer");
  await remove(db, project, "c");
  assertEquals(await textsOf(project), { a: "newer", "b/d": "at b/d" });
  assertEquals((await ask(project)).files.map((file: File) => [file.file_path, file.version, file.content]), [
    ["a", 2, undefined],
    ["b/d", 1, undefined],
  ]);
});

Deno.test("at the moment of any version it is what stood then: before, and without what came later", async () => {
  const project = await createProject(db);
  const steps = [
    () => save(db, project, "a", "one"),
    () => save(db, project, "b", "two"),
    () => save(db, project, "a", "three"),
    () => remove(db, project, "b"),
    () => save(db, project, "b", "four"),
  ];
  const moments: string[] = [];
  for (const step of steps) {
    moments.push((await step()).created_at);
    // Moments are milliseconds, and these are to be different ones.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const seen = [];
  for (const at of moments) seen.push(await textsOf(project, { at }));
  assertEquals(seen, [
    { a: "one" },
    { a: "one", b: "two" },
    { a: "three", b: "two" },
    { a: "three" },
    { a: "three", b: "four" },
  ]);
});

Deno.test("before the first file there is none, and in a project without files neither", async () => {
  const project = await createProject(db);
  assertEquals(await textsOf(project), {});
  await save(db, project, "a", "one");
  assertEquals(await textsOf(project, { at: "2001-01-01T00:00:00Z" }), {});
});

Deno.test("a moment in the future is now, so that the answer stays true", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const { at } = await ask(project, { at: "2999-01-01T00:00:00Z" });
  assert(new Date(at).getTime() <= Date.now() + 60_000, at);
});

Deno.test("as of an execution it holds all that the execution wrote, and nothing written after", async () => {
  const project = await createProject(db);
  await save(db, project, "kept", "by hand");
  const { execution } = await runTask(db, project, [{ file_path: "made", content: "by task" }]);
  await save(db, project, "made", "changed later");
  await save(db, project, "later", "by hand");
  assertEquals(await textsOf(project, { execution_id: execution }), { kept: "by hand", made: "by task" });
});

Deno.test("as of an execution that still runs it is now", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  await save(db, project, "a", "one");
  assertEquals(await textsOf(project, { execution_id: execution.id }), { a: "one" });
});

Deno.test("pages show one moment: what is saved between them is on none", async () => {
  const project = await createProject(db);
  const paths = Array.from({ length: 7 }, (_, index) => `file-${index}`);
  for (const path of paths) await save(db, project, path, "old");
  const seen: Record<string, string> = {};
  let page = await ask(project, { limit: 3, with_content: true });
  const { at } = page;
  for (;;) {
    for (const { file_path, content } of page.files) seen[file_path] = content;
    if (page.next_after === null) break;
    await save(db, project, "file-6", "new");
    await save(db, project, "file-9", "new");
    await remove(db, project, "file-5");
    page = await ask(project, { limit: 3, with_content: true, at, after: page.next_after });
    assertEquals(page.at, at);
  }
  assertEquals(seen, Object.fromEntries(paths.map((path) => [path, "old"])));
});

Deno.test("a page of texts ends after two megabytes, and goes on with the next file", async () => {
  const project = await createProject(db);
  for (let index = 0; index < 6; index++) await save(db, project, `f${index}`, String(index).repeat(1_048_576));
  const first = await ask(project, { with_content: true });
  assertEquals([first.files.length, first.next_after], [2, "f1"]);
  const second = await ask(project, { with_content: true, after: "f3", at: first.at });
  assertEquals(second.files.map((file: File) => file.file_path), ["f4", "f5"]);
  assertEquals((await ask(project)).files.length, 6);
});

Deno.test("a page that ends with the last file says so", async () => {
  const project = await createProject(db);
  for (const path of ["a", "b"]) await save(db, project, path, path);
  assertEquals((await ask(project, { limit: 2 })).next_after, null);
  assertEquals((await ask(project, { limit: 1 })).next_after, "a");
});

Deno.test("deleted files at the end of the paths make no empty page", async () => {
  const project = await createProject(db);
  for (const path of ["a", "b", "c"]) await save(db, project, path, path);
  for (const path of ["b", "c"]) await remove(db, project, path);
  const page = await ask(project, { limit: 1 });
  assertEquals([page.files.length, page.next_after], [1, null]);
});

const bad: [string, Record<string, unknown>, string][] = [
  ["a limit of none", { limit: 0 }, "validation_failed"],
  ["a limit over 1000", { limit: 1001 }, "validation_failed"],
  ["a moment and an execution", { at: "2026-01-01T00:00:00Z", execution_id: crypto.randomUUID() }, "validation_failed"],
  ["an execution that does not exist", { execution_id: crypto.randomUUID() }, "execution_not_found"],
];
for (const [what, fields, code] of bad) {
  Deno.test(`${what} is ${code}`, async () => {
    const project = await createProject(db);
    const refusal = await db.refusal(project.viewer.actor, "artifact_snapshot", { project_id: project.id, ...fields });
    assertEquals(refusal.code, code);
  });
}

Deno.test("an execution of another project is execution_not_found, even to a member of both", async () => {
  const project = await createProject(db);
  const other = await createProject(db);
  const { execution } = await startExecution(db, other, graph([["a", "b"]]));
  const refusal = await db.refusal("worker", "artifact_snapshot", {
    project_id: project.id,
    execution_id: execution.id,
  });
  assertEquals(refusal.code, "execution_not_found");
});

Deno.test("an admin and a worker read it, a stranger cannot tell the project", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  for (const actor of [(await createAdmin(db)).actor, "worker" as const]) {
    assertEquals((await db.rpc(actor, "artifact_snapshot", { project_id: project.id })).files.length, 1);
  }
  const refusal = await db.refusal(project.stranger.actor, "artifact_snapshot", { project_id: project.id });
  assertEquals(refusal.code, "project_not_found");
});

Deno.test("a page ends after fifty thousand paths without a file, and the next one goes on behind them", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "before them");
  await db.sql`
    insert into public.code_artifacts (project_id, name, file_path, is_active, is_deleted)
    select ${project.id}, 'gone', 'gone/' || lpad(g::text, 5, '0'), false, true from generate_series(1, 60000) as g`;
  await save(db, project, "z", "behind them");
  const paths = ({ files }: { files: File[] }) => files.map((file) => file.file_path);
  const first = await ask(project);
  assertEquals([paths(first), first.next_after], [["a"], "gone/49999"]);
  const second = await ask(project, { at: first.at, after: first.next_after });
  assertEquals([paths(second), second.next_after], [["z"], null]);
});

Deno.test("a page of nothing but paths without a file is empty, and the next one goes on behind them", async () => {
  const project = await createProject(db);
  await db.sql`
    insert into public.code_artifacts (project_id, name, file_path, is_active, is_deleted)
    select ${project.id}, 'gone', 'gone/' || lpad(g::text, 5, '0'), false, true from generate_series(1, 50000) as g`;
  await save(db, project, "z", "behind them");
  const first = await ask(project);
  assertEquals([first.files, first.next_after], [[], "gone/50000"]);
  assertEquals(Object.keys(await textsOf(project, { at: first.at, after: first.next_after })), ["z"]);
});
