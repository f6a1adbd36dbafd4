// POST /upload-file: what a file is called against what its bytes are.
import { assert, assertEquals } from "@std/assert";
import { uploadFile } from "../../shared/contract/upload-file.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { anotherProject, createTeam, type Project } from "./project.ts";
import { form, leftovers, PNG } from "./uploads.ts";

let signedUp: Promise<Project> | undefined;
const fresh = async () => await anotherProject(await (signedUp ??= createTeam()));
const utf8 = (text: string) => new TextEncoder().encode(text);
const bytes = (...values: number[]) => new Uint8Array(values);

const JPEG = bytes(0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1);
const PDF = utf8("%PDF-1.7\n%\u00e2\u00e3\n1 0 obj\n");
const ZIP = bytes(
  0x50,
  0x4b,
  3,
  4,
  20,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  0x61,
);
const ELF = bytes(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const EXE = new Uint8Array([0x4d, 0x5a, ...new Array(126).fill(0)]);
const HTML = utf8("<!doctype html><script>alert(1)</script>");
const SVG = utf8('<svg xmlns="http://www.w3.org/2000/svg"/>');

const upload = async (project: Project, type: string, content: Uint8Array<ArrayBuffer>) =>
  await call(
    project.editor,
    "upload-file",
    form(["project_id", project.id], ["file", new File([content], "f", { type })]),
  );

const LIES: [string, string, Uint8Array<ArrayBuffer>][] = [
  ["HTML as image/png", "image/png", HTML],
  ["HTML as image/jpeg", "image/jpeg", HTML],
  ["HTML as application/pdf", "application/pdf", HTML],
  ["HTML as video/mp4", "video/mp4", HTML],
  ["a program as image/png", "image/png", EXE],
  ["a program as text/plain", "text/plain", ELF],
  ["a PDF as image/png", "image/png", PDF],
  ["a JPEG as image/png", "image/png", JPEG],
  ["a PNG as text/html", "text/html", PNG],
  ["a PNG as application/json", "application/json", PNG],
  ["a zip as application/pdf", "application/pdf", ZIP],
  ["zeros as image/gif", "image/gif", new Uint8Array(100)],
  ["zeros as text/csv", "text/csv", new Uint8Array(100)],
  ["one byte as image/png", "image/png", bytes(0x89)],
  ["text as font/woff2", "font/woff2", utf8("text")],
];
for (const [claim, type, content] of LIES) {
  Deno.test(`upload_file: ${claim} is refused, and nothing is left`, async () => {
    const project = await fresh();
    const reply = await upload(project, type, content);
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields[0].path, "file");
    assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
  });
}

const TRUTHS: [string, string, Uint8Array<ArrayBuffer>, string][] = [
  ["a PNG", "image/png", PNG, "image/png"],
  ["a JPEG under an old name", "image/jpg", JPEG, "image/jpeg"],
  ["a PDF", "application/pdf", PDF, "application/pdf"],
  ["a zip as Windows calls it", "application/x-zip-compressed", ZIP, "application/zip"],
  [
    "a document that is a zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ZIP,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  ],
  ["an SVG", "image/svg+xml", SVG, "image/svg+xml"],
  ["an SVG with a declaration", "image/svg+xml", utf8('<?xml version="1.0"?><svg/>'), "image/svg+xml"],
  ["text", "text/plain", utf8("text"), "text/plain"],
  ["text in UTF-16", "text/plain", bytes(0xff, 0xfe, 0x61, 0, 0x62, 0), "text/plain"],
  ["JSON", "application/json", utf8("{}"), "application/json"],
  ["a PNG that is called nothing", "application/octet-stream", PNG, "image/png"],
  ["bytes that are called nothing", "application/octet-stream", bytes(1, 2, 3), "application/octet-stream"],
  ["bytes of a format nobody knows", "application/x-own", bytes(1, 2, 3), "application/x-own"],
  ["nothing at all, as a picture", "image/png", bytes(), "image/png"],
];
for (const [claim, type, content, kept] of TRUTHS) {
  Deno.test(`upload_file: ${claim} is kept as ${kept}, in row and object`, async () => {
    const project = await fresh();
    const { file, signed_url } = assertAnswer(await upload(project, type, content), uploadFile, 201);
    assertEquals([file.mime_type, file.file_size], [kept, content.length]);
    const response = await fetch(signed_url);
    await response.body?.cancel();
    assert((response.headers.get("content-type") ?? "").startsWith(kept), response.headers.get("content-type") ?? "");
  });
}
