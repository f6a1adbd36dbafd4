// POST /upload-file over HTTP: what goes in comes out, and what is refused leaves nothing.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MAX_FILE_BYTES, uploadFile } from "../../shared/contract/upload-file.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject } from "./project.ts";
import { beginning, END, form, leftovers, MULTIPART, sha256, textUpload } from "./uploads.ts";

const team = testAccess({
  path: "upload-file",
  operation: uploadFile,
  body: (project) => Promise.resolve(textUpload(project.id)),
  stranger: "project_not_found",
  editor: "allowed",
});

const fresh = async () => await anotherProject(await team());
const pathsOf = (reply: Body) => reply.body.error.details.fields.map(({ path }: { path: string }) => path);

/** Bytes that no text is made of, the same each time. */
function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = (index * 31 + (index >> 8)) & 255;
  return bytes;
}

const SIZES: [string, number][] = [["0 bytes", 0], ["1 byte", 1], ["64 KiB and one", 65_537], [
  "20 MiB",
  20 * 1_048_576,
]];

for (const [claim, size] of SIZES) {
  Deno.test(`upload_file: a file of ${claim} comes back byte for byte through its signed_url`, async () => {
    const project = await fresh();
    const bytes = bytesOf(size);
    const body = form(["project_id", project.id], [
      "file",
      new File([bytes], "a.bin", { type: "application/x-thing" }),
    ]);
    const reply = await call(project.editor, "upload-file", body);
    const { file, signed_url, expires_at } = assertAnswer(reply, uploadFile, 201);
    assertEquals([file.file_size, file.sha256, file.mime_type], [size, await sha256(bytes), "application/x-thing"]);
    assertEquals([file.status, file.file_name, file.uploaded_by], ["ready", "a.bin", project.editor.id]);
    assertEquals([file.project_id, file.bucket_name], [project.id, "genesis-files"]);
    assert(file.file_path.startsWith(`${project.id}/`), file.file_path);
    const seconds = (Date.parse(expires_at) - Date.now()) / 1000;
    assert(seconds > 200 && seconds <= 301, `Expected the link to live five minutes: got ${seconds}`);
    const download = await fetch(signed_url);
    assertEquals(download.status, 200);
    assertEquals(await sha256(new Uint8Array(await download.arrayBuffer())), await sha256(bytes));
  });
}

Deno.test("upload_file: the row and the object are there for the members, and for no stranger", async () => {
  const project = await fresh();
  const { body: { file } } = await call(project.editor, "upload-file", textUpload(project.id, "seen"));
  const found = async (client: typeof project.owner.client) => {
    const { data: rows } = await client.from("file_storage").select("id").eq("id", file.id);
    const { data: object } = await client.storage.from(file.bucket_name).download(file.file_path);
    return [rows?.length, object ? await object.text() : null];
  };
  assertEquals(await found(project.viewer.client), [1, "seen"]);
  assertEquals(await found(project.stranger.client), [0, null]);
});

Deno.test("upload_file: two uploads of one name are two files", async () => {
  const project = await fresh();
  const replies = await Promise.all(
    ["one", "two"].map((text) => call(project.editor, "upload-file", textUpload(project.id, text))),
  );
  const texts = await Promise.all(replies.map(async (reply) => await (await fetch(reply.body.signed_url)).text()));
  assertEquals(texts, ["one", "two"]);
});

Deno.test("upload_file: path says where the file belongs and is kept", async () => {
  const project = await fresh();
  const body = form(["project_id", project.id], ["path", "design/logo.svg"], [
    "file",
    new File(["<svg/>"], "logo.svg"),
  ]);
  const { file } = assertAnswer(await call(project.editor, "upload-file", body), uploadFile, 201);
  assertEquals(file.metadata.path, "design/logo.svg");
});

for (const path of ["../up", "/abs", "a//b", ""]) {
  Deno.test(`upload_file: the path ${JSON.stringify(path)} is refused by the field's name, and nothing is left`, async () => {
    const project = await fresh();
    const body = form(["project_id", project.id], ["path", path], ["file", new File(["x"], "x")]);
    const reply = await call(project.editor, "upload-file", body);
    assertRefused(reply, "validation_failed");
    assertEquals(pathsOf(reply), ["path"]);
    assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
  });
}

Deno.test("upload_file: a part of the type image/*, as some apps send it, is told what to say instead", async () => {
  const body = form(["project_id", (await fresh()).id], ["file", new File(["x"], "x", { type: "image/*" })]);
  const reply = await call((await team()).editor, "upload-file", body);
  assertRefused(reply, "validation_failed");
  assertMatch(reply.body.error.details.fields[0].message, /image\/png; application\/octet-stream has the bytes say/);
});

const NAMES: [string, string][] = [
  ["日本 ü.txt", "日本 ü.txt"],
  ["../../etc/passwd", "passwd"],
  ["C:\\Users\\me\\a.txt", "a.txt"],
  ['say "hi".txt', 'say "hi".txt'],
  ["two\r\nlines.txt", "twolines.txt"],
  ["100%25.txt", "100%25.txt"],
  ["n".repeat(255), "n".repeat(255)],
];

for (const [sent, kept] of NAMES) {
  Deno.test(`upload_file: the file name ${JSON.stringify(sent.slice(0, 20))} is kept as a name without folders`, async () => {
    const project = await fresh();
    const body = form(["project_id", project.id], ["file", new File(["x"], sent)]);
    const { file } = assertAnswer(await call(project.editor, "upload-file", body), uploadFile, 201);
    assertEquals(file.file_name, kept);
    assertMatch(file.file_path, /^[0-9a-f-]{36}\/[0-9a-f-]{36}$/);
  });
}

Deno.test("upload_file: a quote that a backslash stands before is read as a quote, too", async () => {
  const project = await fresh();
  const body = beginning(project.id, String.raw`form-data; name="file"; filename="say \"hi\".txt"`) + "x" + END;
  const reply = await call(project.editor, "upload-file", body, { headers: MULTIPART });
  assertEquals(assertAnswer(reply, uploadFile, 201).file.file_name, 'say "hi".txt');
});

Deno.test("upload_file: a file name over 255 characters is refused, and nothing is left", async () => {
  const project = await fresh();
  const body = form(["project_id", project.id], ["file", new File(["x"], "n".repeat(256))]);
  const reply = await call(project.editor, "upload-file", body);
  assertRefused(reply, "validation_failed");
  assertEquals(pathsOf(reply), ["file_name"]);
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});

Deno.test("upload_file: a file of exactly the limit is taken, one byte more is payload_too_large and leaves nothing", async () => {
  const project = await fresh();
  const upload = (size: number) =>
    call(
      project.editor,
      "upload-file",
      form(["project_id", project.id], ["file", new File([new Uint8Array(size)], "big")]),
    );
  assertRefused(await upload(MAX_FILE_BYTES + 1), "payload_too_large");
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
  assertEquals((await upload(MAX_FILE_BYTES)).status, 201);
});

const WRONG_FORMS: [string, string, (projectId: string) => FormData][] = [
  ["without a file", "file", (id) => form(["project_id", id])],
  ["whose file is a text field", "file", (id) => form(["project_id", id], ["file", "text"])],
  ["whose file has another part's name", "photo", (id) => form(["project_id", id], ["photo", new File(["x"], "x")])],
  ["with project_id after the file", "project_id", (id) => form(["file", new File(["x"], "x")], ["project_id", id])],
  ["without project_id", "project_id", () => form(["file", new File(["x"], "x")])],
  ["with path after the file", "path", (id) => form(["project_id", id], ["file", new File(["x"], "x")], ["path", "p"])],
  [
    "with two files",
    "file",
    (id) => form(["project_id", id], ["file", new File(["1"], "1")], ["file", new File(["2"], "2")]),
  ],
  ["whose project_id is no id", "project_id", () => form(["project_id", "1"], ["file", new File(["x"], "x")])],
  [
    "whose file is called a form",
    "mime_type",
    (id) => form(["project_id", id], ["file", new File(["x"], "x", { type: "multipart/form-data" })]),
  ],
  ["with a NUL in the file's name", "file_name", (id) => form(["project_id", id], ["file", new File(["x"], "a\0b")])],
];

Deno.test("upload_file: who sends project_id after the file is told that it has to come before", async () => {
  const project = await fresh();
  const body = form(["file", new File(["x"], "x")], ["project_id", project.id]);
  const reply = await call(project.editor, "upload-file", body);
  assertEquals(reply.body.error.details.fields, [{
    path: "project_id",
    message: "is missing: send it before the file",
  }]);
});

for (const [claim, field, make] of WRONG_FORMS) {
  Deno.test(`upload_file: a form ${claim} is refused by the field's name, and nothing is left`, async () => {
    const project = await fresh();
    const reply = await call(project.editor, "upload-file", make(project.id));
    assertRefused(reply, "validation_failed");
    assertEquals(pathsOf(reply), [field]);
    assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
  });
}

Deno.test("upload_file: a viewer's 8 MiB are refused and nothing is left", async () => {
  const project = await fresh();
  const body = form(["project_id", project.id], ["file", new File([new Uint8Array(8 * 1_048_576)], "big")]);
  assertRefused(await call(project.viewer, "upload-file", body), "forbidden");
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});

Deno.test("upload_file: another project's id in path or name moves nothing there", async () => {
  const [project, other] = [await fresh(), await fresh()];
  const body = form(["project_id", project.id], ["path", `${other.id}/x`], ["file", new File(["x"], `${other.id}/x`)]);
  assertEquals((await call(project.editor, "upload-file", body)).status, 201);
  assertEquals(await leftovers(other.id), { rows: 0, objects: 0 });
});

Deno.test("upload_file: an unknown project is project_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, "upload-file", textUpload(crypto.randomUUID())), "project_not_found");
  }
});
