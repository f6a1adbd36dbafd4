// save_artifact: whom it refuses, what it does not take, and that nothing saved can be rewritten.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject, graph, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();
const file = (project_id: string, fields: Record<string, unknown> = {}) => ({
  project_id,
  file_path: "a.ts",
  content: "text",
  ...fields,
});

const bad: [string, Record<string, unknown>, string][] = [
  ["no content", { content: null }, "validation_failed"],
  ["content over 1 MiB", { content: "x".repeat(1024 * 1024 + 1) }, "payload_too_large"],
  ["content over 1 MiB in fewer characters", { content: "é".repeat(600_000) }, "payload_too_large"],
  ["an unknown type", { type: "binary" }, "validation_failed"],
  ["metadata that is a list", { metadata: [1] }, "validation_failed"],
  ["an empty name", { name: " " }, "validation_failed"],
  ["a long name", { name: "x".repeat(256) }, "validation_failed"],
  ["a long language", { language: "x".repeat(101) }, "validation_failed"],
  ["a task that does not exist", { task_id: crypto.randomUUID() }, "task_not_found"],
];
for (const [what, fields, code] of bad) {
  Deno.test(`${what} is ${code}`, async () => {
    const project = await createProject(db);
    const refusal = await db.refusal(project.editor.actor, "save_artifact", file(project.id, fields));
    assertEquals(refusal.code, code, refusal.message);
  });
}

for (const file_path of [" ", "a/ ", `${" ".repeat(255)}x`]) {
  Deno.test(`the path ${JSON.stringify(file_path.slice(0, 5))}, which gives no name, is refused by name of the field`, async () => {
    const project = await createProject(db);
    const refusal = await db.refusal(project.editor.actor, "save_artifact", file(project.id, { file_path }));
    const [field] = refusal.details.fields as { path: string }[];
    assertEquals([refusal.code, field?.path], ["validation_failed", "file_path"]);
    const { artifact } = await db.rpc(
      project.editor.actor,
      "save_artifact",
      file(project.id, { file_path, name: "a name" }),
    );
    assertEquals([artifact.file_path, artifact.name], [file_path, "a name"]);
  });
}

Deno.test("content of exactly 1 MiB is taken, and so is an empty file", async () => {
  const project = await createProject(db);
  for (const content of ["x".repeat(1024 * 1024), ""]) {
    assertEquals((await db.rpc(project.editor.actor, "save_artifact", file(project.id, { content }))).unchanged, false);
  }
});

Deno.test("a task of another project is task_not_found", async () => {
  const project = await createProject(db);
  const other = await createProject(db);
  const { tasks: [task] } = await startExecution(db, other, graph([["a", "b"]]));
  const refusal = await db.refusal(project.editor.actor, "save_artifact", file(project.id, { task_id: task.id }));
  assertEquals(refusal.code, "task_not_found");
});

Deno.test("a viewer and an admin get forbidden", async () => {
  const project = await createProject(db);
  for (const person of [project.viewer, await createAdmin(db)]) {
    assertEquals((await db.refusal(person.actor, "save_artifact", file(project.id))).code, "forbidden");
  }
});

Deno.test("a stranger cannot tell a project from one that does not exist", async () => {
  const project = await createProject(db);
  const real = await db.refusal(project.stranger.actor, "save_artifact", file(project.id));
  const none = await db.refusal(project.stranger.actor, "save_artifact", file(crypto.randomUUID()));
  assertEquals(real.code, "project_not_found");
  assertEquals(real, none);
});

Deno.test("a former editor gets project_not_found", async () => {
  const project = await createProject(db);
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals((await db.refusal(project.editor.actor, "save_artifact", file(project.id))).code, "project_not_found");
});

Deno.test("an archived project takes no file, not from workers either", async () => {
  const project = await createProject(db);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  for (const actor of [project.owner.actor, "worker" as const]) {
    assertEquals((await db.refusal(actor, "save_artifact", file(project.id))).code, "project_not_active");
  }
});

Deno.test("a worker saves in nobody's name", async () => {
  const project = await createProject(db);
  assertEquals((await db.rpc("worker", "save_artifact", file(project.id))).artifact.created_by, null);
});

Deno.test("someone without an account may not call it at all", async () => {
  const project = await createProject(db);
  assertEquals((await db.refusal("anon", "save_artifact", file(project.id))).sqlstate, "42501");
});

for (const actor of ["owner", "editor", "worker"] as const) {
  Deno.test(`the ${actor} cannot write, change or delete a version directly`, async () => {
    const project = await createProject(db);
    await db.rpc(project.editor.actor, "save_artifact", file(project.id));
    const who = actor === "worker" ? actor : project[actor].actor;
    for (
      const statement of [
        `insert into public.code_artifacts (project_id, name, file_path, is_deleted, is_active) values ('${project.id}', 'b', 'b', true, false)`,
        "update public.code_artifacts set content_sha256 = 'other'",
        "update public.code_artifacts set is_active = false",
        "delete from public.code_artifacts",
      ]
    ) {
      assertEquals((await refused(db.as(who, (tx) => tx.unsafe(statement)))).sqlstate, "42501", statement);
    }
  });
}

Deno.test("two heads of one path are unstorable", async () => {
  const project = await createProject(db);
  await db.rpc(project.editor.actor, "save_artifact", file(project.id));
  const second = db.sql`
    insert into public.code_artifacts (project_id, name, file_path, content_sha256, content_bytes, version)
    select project_id, name, file_path, content_sha256, content_bytes, 2 from public.code_artifacts
    where project_id = ${project.id}`;
  assertEquals((await refused(second)).sqlstate, "23505");
});
