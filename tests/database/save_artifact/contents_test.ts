// save_artifact: a text is stored once per project, however many versions and paths have it, and only members read it.
import { assert, assertEquals } from "@std/assert";
import { contentCount, files, remove, runTask, save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createAdmin, createProject, graph, report, startExecution } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

Deno.test("a text that many paths and versions have is stored once", async () => {
  const project = await createProject(db);
  for (const path of ["a", "b", "c"]) await save(db, project, path, "same");
  await save(db, project, "a", "other");
  await save(db, project, "a", "same");
  assertEquals(await contentCount(db, project), 2);
  assertEquals(await files(db, project), { a: "same", b: "same", c: "same" });
});

Deno.test("a task's artifacts with one text store it once", async () => {
  const project = await createProject(db);
  await runTask(db, project, ["a", "b", "c"].map((file_path) => ({ file_path, content: "same" })));
  assertEquals(await contentCount(db, project), 1);
});

Deno.test("a save that is refused stores no text", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  const late = { project_id: project.id, file_path: "a", content: "late", base_version: 0 };
  assertEquals((await db.refusal(project.editor.actor, "save_artifact", late)).code, "artifact_conflict");
  assertEquals(await contentCount(db, project), 1);
});

Deno.test("a deleted project takes its texts along, and none of another's with the same ones", async () => {
  const [project, other] = [await createProject(db), await createProject(db)];
  for (const each of [project, other]) await save(db, each, "a", "shared text");
  await db.sql`delete from public.projects where id = ${project.id}`;
  assertEquals([await contentCount(db, project), await contentCount(db, other)], [0, 1]);
  assertEquals(await files(db, other), { a: "shared text" });
});

Deno.test("a text that a version has cannot be taken away", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "kept");
  const gone = await db.sql.begin((tx) => tx`delete from private.artifact_contents where project_id = ${project.id}`)
    .then(() => "deleted", (error) => error.code);
  assertEquals(gone, "23503");
});

Deno.test("every version gives its own text as the field content, and a deletion gives none", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "one");
  await save(db, project, "a", "two");
  await remove(db, project, "a");
  const rows = await db.as(
    project.viewer.actor,
    (tx) =>
      tx`select a.content as text from public.code_artifacts as a where a.project_id = ${project.id} order by a.version`,
  );
  assertEquals(rows.map((row) => row.text), ["one", "two", null]);
});

Deno.test("a made-up row opens a text only to those who may read the version it names", async () => {
  const project = await createProject(db);
  const { id, content_sha256 } = await save(db, project, "a", "secret");
  const read = (actor: { user: string }, row: Record<string, unknown>) =>
    db.as(actor, async (tx) => {
      const [found] = await tx`
        select public.content(jsonb_populate_record(null::public.code_artifacts, ${tx.json(row as never)})) as text`;
      return found?.text;
    });
  const admin = await createAdmin(db);
  assertEquals(await read(project.viewer.actor, { id }), "secret");
  assertEquals(await read(admin.actor, { id }), "secret");
  const own = await createProject(db);
  for (const row of [{ id }, { id, project_id: own.id, content_sha256 }, { project_id: project.id, content_sha256 }]) {
    assertEquals(await read(own.owner.actor, row), null);
  }
});

Deno.test("the same text with other metadata is a new version, so that nothing sent is lost", async () => {
  const project = await createProject(db);
  await save(db, project, "a", "text");
  const { version, metadata } = await save(db, project, "a", "text", { metadata: { reviewed: true } });
  assertEquals([version, metadata], [2, { reviewed: true }]);
  assertEquals((await save(db, project, "a", "text", { metadata: { reviewed: true } })).version, 2);
  assertEquals((await save(db, project, "a", "text", { language: "ts" })).version, 3);
});

Deno.test("a version is never older than the one before it, whoever began first", async () => {
  const project = await createProject(db);
  await using early = await openTransaction(db, project.editor.actor);
  await save(db, project, "a", "one");
  await early.rpc("save_artifact", { project_id: project.id, file_path: "a", content: "two" });
  await early.commit();
  const rows = await db.sql<{ created_at: Date }[]>`
    select created_at from public.code_artifacts where project_id = ${project.id} order by version`;
  assert(rows[0] && rows[1] && rows[0].created_at <= rows[1].created_at);
});

Deno.test("two tasks that bring the same texts in opposite order wait for each other in no circle", async () => {
  const project = await createProject(db);
  const claimed = await Promise.all([1, 2].map(async () => {
    const { execution } = await startExecution(db, project, graph([["a", "b"]]));
    return await claimNode(db, execution.id, "a");
  }));
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  const bring = (task: number, texts: string[]) =>
    report(claimed[task], {
      artifacts: texts.map((content, index) => ({ file_path: `${task}/${index}`, content })),
    });
  await first.rpc("complete_task", bring(0, ["x", "y"]));
  const waiting = second.rpc("complete_task", bring(1, ["y", "x"]));
  await waitUntilBlocked(db, second);
  await first.commit();
  await waiting;
  await second.commit();
  assertEquals(await contentCount(db, project), 2);
});

Deno.test("two hundred saves at once are two hundred versions, without a gap, and every text is there", async () => {
  const project = await createProject(db);
  const connections = Array.from({ length: 5 }, () => db.connect());
  const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`);
  const numbers = await Promise.all(texts.map(async (text, index) => {
    const [row] = await connections[index % 5]!`
      select private.save_artifact(${project.id}, 'a', ${text}, null, null, null, null, null, null) as answer`;
    return row?.answer.artifact.version;
  }));
  const expected = Array.from({ length: 200 }, (_, index) => index + 1);
  assertEquals(numbers.toSorted((a, b) => a - b), expected);
  const rows = await db.sql`
    select a.version, public.content(a) as text, a.is_active from public.code_artifacts as a
    where a.project_id = ${project.id} order by a.version`;
  assertEquals(rows.map((row) => row.version), expected);
  assertEquals(rows.map((row) => row.text).toSorted(), texts.toSorted());
  assertEquals(rows.filter((row) => row.is_active).map((row) => row.version), [200]);
});
