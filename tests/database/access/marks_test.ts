// access: marks that stand in no order, of which PostgreSQL makes an order without looking at the time.
import { assertEquals, assertMatch } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, graph, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();

/** 80 kB that took twenty seconds to be put in order. */
const marks = "\u0301".repeat(20_000) + "\u0316".repeat(20_000);

const ofEditors: [string, string, Record<string, unknown>][] = [
  ["save_artifact", "validation_failed", { file_path: marks, content: "" }],
  ["delete_artifact", "artifact_not_found", { file_path: marks }],
  ["artifact_history", "artifact_not_found", { file_path: marks }],
  ["register_upload", "validation_failed", { path: marks, file_name: "a" }],
  ["register_upload", "validation_failed", { file_name: marks }],
  ["sign_upload", "validation_failed", { file_name: marks, file_size: 1, mime_type: "text/plain" }],
];
for (const [door, code, args] of ofEditors) {
  Deno.test(`${Object.keys(args)[0]} of ${door} with 40,000 marks is refused before a statement's timeout`, async () => {
    const project = await createProject(db);
    const refusal = await refused(db.as(project.editor.actor, async (tx) => {
      await tx`set local statement_timeout = '5s'`;
      const names = ["project_id", ...Object.keys(args)].map((name, place) => `${name} := $${place + 1}`);
      await tx.unsafe(`select public.${door}(${names})`, [project.id, ...Object.values(args)] as string[]);
    }));
    assertEquals(refusal.code, code, refusal.message);
  });
}

Deno.test("a report with 40,000 marks as the path of an artifact is refused before a statement's timeout", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  const { id, lease_token } = await claimNode(db, execution.id, "a");
  const refusal = await refused(db.as(project.editor.actor, async (tx) => {
    await tx`set local statement_timeout = '5s'`;
    await tx`select public.complete_task(${id}, ${lease_token}, 'completed', artifacts := ${
      tx.json([{ file_path: marks, content: "" }])
    })`;
  }));
  assertEquals(refusal.code, "validation_failed", refusal.message);
});

Deno.test("a stranger's marks do not make an order before the stranger is refused", async () => {
  const project = await createProject(db);
  const refusal = await refused(db.as(project.stranger.actor, async (tx) => {
    await tx`set local statement_timeout = '5s'`;
    await tx`select public.artifact_history(${project.id}, ${marks})`;
  }));
  assertEquals(refusal.code, "project_not_found", refusal.message);
});

Deno.test("texts of any length are composed by nothing but what looks at their length", async () => {
  const functions = await db.sql<{ name: string; body: string }[]>`
    select p.proname as name, p.prosrc as body from pg_proc as p
    where p.pronamespace in ('private'::regnamespace, 'public'::regnamespace) and p.prosrc ~* 'normaliz(e\\(|ed)'
    order by p.proname`;
  assertEquals(functions.map(({ name }) => name), ["composed", "is_artifact_path", "is_stored_path"]);
  for (const { body } of functions) assertMatch(body, /octet_length|private\.is_stored_path/);
});

Deno.test("a path whose parts come apart is composed up to the longest that a path may be", async () => {
  const project = await createProject(db);
  const file_path = "각".repeat(341);
  const { artifact } = await db.rpc(project.editor.actor, "save_artifact", {
    project_id: project.id,
    file_path: file_path.normalize("NFD"),
    content: "",
  });
  assertEquals(artifact.file_path, file_path);
});
