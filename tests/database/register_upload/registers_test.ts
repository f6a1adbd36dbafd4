// register_upload: reserves a name in the project before any byte is sent.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAdmin, createProject } from "../../support/factories.ts";

const db = await shareDatabase();

Deno.test("the reserved object is in the project's folder, under a name of its own, and pending", async () => {
  const project = await createProject(db);
  const request = { project_id: project.id, file_name: "../My photo.png", mime_type: "image/png" };
  const { file } = await db.rpc(project.editor.actor, "register_upload", request);
  assertEquals(file.file_path, `${project.id}/${file.id}`);
  assertEquals([file.status, file.bucket_name, file.uploaded_by, file.file_name], [
    "pending",
    "genesis-files",
    project.editor.id,
    "My photo.png",
  ]);
});

Deno.test("two uploads of one name are two files", async () => {
  const project = await createProject(db);
  const request = { project_id: project.id, file_name: "a.png" };
  const paths = await Promise.all([1, 2].map(() => db.rpc(project.editor.actor, "register_upload", request)));
  assertEquals(new Set(paths.map(({ file }) => file.file_path)).size, 2);
});

Deno.test("a path is kept beside the object, which does not follow it", async () => {
  const project = await createProject(db);
  const request = { project_id: project.id, file_name: "a.png", path: "images/a.png" };
  const { file } = await db.rpc(project.editor.actor, "register_upload", request);
  assertEquals([file.metadata, file.file_path], [{ path: "images/a.png" }, `${project.id}/${file.id}`]);
});

Deno.test("a path whose letters the caller's system decomposes is composed", async () => {
  const project = await createProject(db);
  const request = { project_id: project.id, file_name: "a.png", path: "me\u0301dia/a.png" };
  const { file } = await db.rpc(project.editor.actor, "register_upload", request);
  assertEquals(file.metadata, { path: "m\u00e9dia/a.png" });
});

const names: [string, string][] = [
  ["/etc/passwd", "passwd"],
  ["C:\\Users\\me\\a.txt", "a.txt"],
  ["annex\u202Egpj.exe", "annexgpj.exe"],
  ["\u200Ea\u200Bb\uFEFF.txt", "ab.txt"],
  ["line\r\nbreak.txt", "linebreak.txt"],
  ["cafe\u0301.txt", "caf\u00e9.txt"],
  ["cafe\u200B\u0301.txt", "caf\u00e9.txt"],
  ["\u{1F468}\u200D\u{1F469}.png", "\u{1F468}\u200D\u{1F469}.png"],
  ["日本 ü.txt", "日本 ü.txt"],
  ["hidden\u{E0158}\u{E0155}.txt", "hidden.txt"],
  ["при\u200Cвет\uFE00.txt", "привет.txt"],
  ["❤\uFE0F می\u200Cخواهم.txt", "❤\uFE0F می\u200Cخواهم.txt"],
  ["．．／up", "．．／up"],
];
for (const [sent, kept] of names) {
  Deno.test(`the name ${JSON.stringify(sent)} is kept as ${JSON.stringify(kept)}, and in no path`, async () => {
    const project = await createProject(db);
    const { file } = await db.rpc(project.editor.actor, "register_upload", { project_id: project.id, file_name: sent });
    assertEquals([file.file_name, file.file_path], [kept, `${project.id}/${file.id}`]);
  });
}

Deno.test("whatever a file is called, its name is visible, short, in one line and no path", async () => {
  const alphabet = [...'ab.\\/ é\u0301\u3164\u202E\u200B\u0007\uFEFF\u2028\n日😀~%:*?"<>|'];
  const names = Array.from(
    { length: 2000 },
    () =>
      Array.from({ length: 1 + Math.random() * 12 }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join(
        "",
      ),
  );
  const rows = await db.sql<{ name: string | null }[]>`
    select private.clean_file_name(n) as name from unnest(${names}::text[]) as n`;
  const wrong = rows.filter(({ name }) =>
    name !== null && !/^(?!\.{1,2}$)(?!\s)[^/\\\p{Cc}\u3164\u200B\u2028\u202E\uFEFF]{1,255}(?<!\s)$/u.test(name)
  );
  assertEquals([rows.length, wrong], [names.length, []]);
});

const bad: [string, Record<string, unknown>][] = [
  ["no file name", { file_name: null }],
  ["a blank file name", { file_name: " " }],
  ["a file name of what nobody sees", { file_name: "\u200B\u202E" }],
  ["a file name of a joiner alone", { file_name: "\u200D" }],
  ["a file name of fillers and blanks", { file_name: "\u3164\u00A0\u2800" }],
  ["a file name that is a folder", { file_name: "a/.." }],
  ["a file name of 256 characters", { file_name: "x".repeat(256) }],
  ["a path that leaves the project", { path: "../a.png" }],
  ["an absolute path", { path: "/a.png" }],
  ["a path with a backslash", { path: "a\\b.png" }],
];
for (const [what, fields] of bad) {
  Deno.test(`${what} is validation_failed`, async () => {
    const project = await createProject(db);
    const request = { project_id: project.id, file_name: "a.png", ...fields };
    assertEquals((await db.refusal(project.editor.actor, "register_upload", request)).code, "validation_failed");
  });
}

Deno.test("a media type of more than 255 characters is refused", async () => {
  const project = await createProject(db);
  const request = { project_id: project.id, file_name: "a.png", mime_type: `image/${"x".repeat(250)}` };
  const refusal = await db.refusal(project.editor.actor, "register_upload", request);
  assertEquals([refusal.code, refusal.details], ["validation_failed", {
    fields: [{ path: "mime_type", message: "must have at most 255 characters" }],
  }]);
});

Deno.test("a viewer and an admin get forbidden", async () => {
  const project = await createProject(db);
  for (const person of [project.viewer, await createAdmin(db)]) {
    const refusal = await db.refusal(person.actor, "register_upload", { project_id: project.id, file_name: "a.png" });
    assertEquals(refusal.code, "forbidden");
  }
});

Deno.test("a stranger cannot tell a project from one that does not exist", async () => {
  const project = await createProject(db);
  const ask = (project_id: string) =>
    db.refusal(project.stranger.actor, "register_upload", { project_id, file_name: "a.png" });
  const real = await ask(project.id);
  assertEquals(real.code, "project_not_found");
  assertEquals(real, await ask(crypto.randomUUID()));
});

Deno.test("an archived project takes no upload", async () => {
  const project = await createProject(db);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  const refusal = await db.refusal(project.owner.actor, "register_upload", {
    project_id: project.id,
    file_name: "a.png",
  });
  assertEquals(refusal.code, "project_not_active");
});

Deno.test("someone without an account may not call it at all", async () => {
  const project = await createProject(db);
  const refusal = await db.refusal("anon", "register_upload", { project_id: project.id, file_name: "a.png" });
  assertEquals(refusal.sqlstate, "42501");
});
