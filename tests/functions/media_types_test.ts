// POST /upload-file: what a file is called against what its bytes are.
import { assert, assertEquals } from "@std/assert";
import { uploadFile } from "../../shared/contract/upload-file.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { anotherProject, createTeam, type Project } from "./project.ts";
import { beginning, END, form, leftovers, MULTIPART, PNG } from "./uploads.ts";

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
/** A zip with one entry, stored. */
function zipOf(name: string, content: string): Uint8Array<ArrayBuffer> {
  const [path, body] = [utf8(name), utf8(content)];
  const header = new DataView(new ArrayBuffer(30));
  header.setUint32(0, 0x504b0304);
  header.setUint16(4, 20, true);
  header.setUint32(18, body.length, true);
  header.setUint32(22, body.length, true);
  header.setUint16(26, path.length, true);
  return new Uint8Array([...new Uint8Array(header.buffer), ...path, ...body]);
}
const DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const DOCX = zipOf("[Content_Types].xml", `<Override ContentType="${DOCX_TYPE}.main+xml"/>`);
const EPUB = zipOf("mimetype", "application/epub+zip");
const CFB = new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...new Array(600).fill(0)]);
const SQLITE = utf8("SQLite format 3\0".padEnd(200, "\0"));
const MP4 = new Uint8Array([0, 0, 0, 24, ...utf8("ftypisom"), 0, 0, 2, 0, ...utf8("isommp42")]);
const ELF = bytes(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const EXE = new Uint8Array([0x4d, 0x5a, ...new Array(126).fill(0)]);
/** As most programs write it: what it holds is listed behind the picture. */
const TIFF = new Uint8Array(100_000);
TIFF.set([0x49, 0x49, 42, 0, 0x90, 0x5f, 1, 0]);
const HTML = utf8("<!doctype html><script>alert(1)</script>");
const SVG = utf8('<svg xmlns="http://www.w3.org/2000/svg"/>');

const XML = utf8('<?xml version="1.0"?><Workbook/>');

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
  ["the beginning of a TIFF and nothing more", "image/tiff", TIFF.subarray(0, 8)],
  ["a program as application/zip", "application/zip", EXE],
  ["a program as application/gzip", "application/gzip", ELF],
  ["a database as application/zip", "application/zip", SQLITE],
  ["a zip as a program", "application/x-msdownload", ZIP],
  ["a zip as application/x-tar", "application/x-tar", ZIP],
  ["a zip as a document", DOCX_TYPE, ZIP],
  ["a book as a document", DOCX_TYPE, EPUB],
  ["a film as audio/mpeg", "audio/mpeg", MP4],
  ["text as a picture of a kind that nobody knows", "image/x-own", utf8("text")],
  ["XML as a program", "application/x-msdownload", XML],
  ["XML as a document", DOCX_TYPE, XML],
  ["a program as an old document", "application/msword", EXE],
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
  ["a TIFF", "image/tiff", TIFF, "image/tiff"],
  ["a TIFF that is called nothing", "application/octet-stream", TIFF, "image/tiff"],
  ["a PDF", "application/pdf", PDF, "application/pdf"],
  ["a zip as Windows calls it", "application/x-zip-compressed", ZIP, "application/zip"],
  ["a document", DOCX_TYPE, DOCX, DOCX_TYPE],
  ["a document that is called a zip", "application/zip", DOCX, "application/zip"],
  ["a book", "application/epub+zip", EPUB, "application/epub+zip"],
  ["a zip of a format that the library does not know", "application/vnd.own+zip", ZIP, "application/vnd.own+zip"],
  ["an old document", "application/msword", CFB, "application/msword"],
  ["a database", "application/vnd.sqlite3", SQLITE, "application/x-sqlite3"],
  ["sound in a film's container", "audio/mp4", MP4, "audio/mp4"],
  ["text that Windows calls a spreadsheet", "application/vnd.ms-excel", utf8("a;b"), "application/vnd.ms-excel"],
  ["a spreadsheet in XML", "application/vnd.ms-excel", XML, "application/vnd.ms-excel"],
  ["a drawing of a format in XML that nobody knows", "application/vnd.own.drawing", XML, "application/vnd.own.drawing"],
  ["an old document in RTF", "application/msword", utf8("{\\rtf1 text}"), "application/msword"],
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

/** Text in its way, or without a mark that every file of the kind begins with. */
const NOT_TOLD = /^text\/|xml$|rtf$|^model\/stl$|pgp-encrypted|x-ms-regedit|x-apple-diskimage/;

Deno.test("upload_file: neither text nor noise is taken for anything that is told by its first bytes", async () => {
  const { trueType } = await import("../../supabase/functions/upload-file/media_type.ts");
  const { supportedMimeTypes } = await import("file-type");
  const noise = bytes(0, 7, ...Array.from({ length: 3000 }, (_, index) => index * 31 % 251));
  const accepted: string[] = [];
  for (const sample of [utf8("hello, I am plain text, nothing else\n"), noise]) {
    for (const type of supportedMimeTypes) {
      if (NOT_TOLD.test(type)) continue;
      await trueType(type, sample).then(() => accepted.push(type), () => {});
    }
  }
  assertEquals(accepted, []);
});

const OGG = new Uint8Array([...utf8("OggS"), ...new Array(24).fill(0), ...utf8("OpusHead"), ...new Array(40).fill(0)]);
const BY_SYSTEMS: [string, Uint8Array<ArrayBuffer>][] = [
  ["audio/x-opus+ogg", OGG],
  ["audio/ac3", bytes(0x0b, 0x77, 0, 0, 0, 0, 0, 0)],
  ["audio/x-wavpack", utf8("wvpk".padEnd(40, "\0"))],
  ["image/x-icns", utf8("icns".padEnd(40, "\0"))],
  ["image/x-win-bitmap", bytes(0, 0, 2, 0, 1, 0, 0, 0)],
  ["text/x-vcard", utf8("BEGIN:VCARD\r\nVERSION:2.1\r\n")],
  ["text/x-vcalendar", utf8("BEGIN:VCALENDAR\r\nVERSION:1.0\r\n")],
  ["application/x-pdf", PDF],
  ["application/x-java", bytes(0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0x41)],
  ["application/x-compressed", bytes(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3)],
  ["application/x-bzip2-compressed-tar", utf8("BZh91AY&SY")],
  ["application/x-xz-compressed-tar", bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4)],
  ["application/x-zstd-compressed-tar", bytes(0x28, 0xb5, 0x2f, 0xfd, 4, 0, 0, 0)],
  ["application/x-plist", XML],
  ["application/x-archive", utf8("!<arch>\nfile.o/".padEnd(80))],
];

Deno.test("upload_file: what Linux and Windows call a format is no lie, though the library calls it something else", async () => {
  const { trueType } = await import("../../supabase/functions/upload-file/media_type.ts");
  const refused: string[] = [];
  for (const [type, sample] of BY_SYSTEMS) {
    assert(await trueType("", sample) !== "application/octet-stream", `${type}: the library does not know these bytes`);
    await trueType(type, sample).catch(() => refused.push(type));
  }
  assertEquals(refused, []);
});

const UNTYPED: [string, Uint8Array<ArrayBuffer>, string][] = [
  ["a picture", PNG, "image/png"],
  ["text", utf8("text"), "text/plain"],
  ["noise", bytes(0, 1, 2, 3), "application/octet-stream"],
  ["nothing", bytes(), "text/plain"],
];
for (const [claim, content, kept] of UNTYPED) {
  // As Python's requests and other clients send files.
  for (const header of ["", "content-type:\r\n"]) {
    const of = header ? "whose type is empty" : "without a type";
    Deno.test(`upload_file: ${claim} in a part ${of} is kept as ${kept}`, async () => {
      const project = await fresh();
      const before = beginning(project.id).replace("content-type: application/octet-stream\r\n", header);
      const body = new Uint8Array([...utf8(before), ...content, ...utf8(END)]);
      const reply = await call(project.editor, "upload-file", body, { headers: MULTIPART });
      const { file } = assertAnswer(reply, uploadFile, 201);
      assertEquals([file.mime_type, file.file_size], [kept, content.length]);
    });
  }
}

Deno.test("upload_file: a media type that is none is refused", async () => {
  const project = await fresh();
  const body = `${beginning(project.id).replace("application/octet-stream", "!!")}text${END}`;
  const reply = await call(project.editor, "upload-file", body, { headers: MULTIPART });
  assertRefused(reply, "validation_failed");
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});
