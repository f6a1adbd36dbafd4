// POST /upload-file when the body breaks or the client goes: nothing is left, and the function serves the next one.
import { deflateRawSync, gzipSync } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import type { ErrorCode } from "../../shared/errors.ts";
import { type Person, worker } from "../support/actors.ts";
import { assertRefused, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { startFunctionProcess } from "./function_process.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";
import {
  beginning,
  BOUNDARY,
  END,
  form,
  inTwo,
  leftovers,
  leftoversInTheEnd,
  moreAfterTheFile,
  MULTIPART,
  stalling,
  textUpload,
  uploadBegan,
} from "./uploads.ts";

let signedUp: Promise<Project> | undefined;
const fresh = async () => await anotherProject(await (signedUp ??= createTeam()));
const NOTHING = { rows: 0, objects: 0 };
/** What the parser passes over, and each costs it a stream. */
const THOUSAND_PARTS = `--${BOUNDARY}\r\n\r\n\r\n`.repeat(1000);
const FILE_PART = 'content-disposition: form-data; name="file"; filename="a.txt"';

/** Begins an upload, waits until the function has reserved its row, and hangs up. */
async function hangUp(url: string, { token }: Person, projectId: string, bytes: number): Promise<void> {
  const controller = new AbortController();
  const answer = fetch(url, {
    method: "POST",
    headers: { ...MULTIPART, apikey: stack.publishableKey, authorization: `Bearer ${token}` },
    body: stalling(beginning(projectId), bytes),
    signal: controller.signal,
  });
  answer.catch(() => {});
  await uploadBegan(projectId);
  controller.abort();
  await answer.then((response) => response.body?.cancel(), () => {});
}

const BROKEN: [string, (projectId: string) => string][] = [
  ["ends in the middle of the file", (id) => beginning(id) + "half a fi"],
  ["ends where the file begins", (id) => beginning(id)],
  ["ends in a part's header", (id) => beginning(id).slice(0, -40)],
  ["ends in the closing boundary", (id) => beginning(id) + "file" + END.slice(0, -6)],
  ["has no boundary in it", () => "just some text"],
  ["holds a closing boundary only", () => END.slice(2)],
  ["names a part with a line break", (id) => beginning(id, 'form-data; name="fi\nle"; filename="x"') + "x" + END],
  ["has a part without a disposition", (id) => beginning(id, "attachment") + "x" + END],
  ["is empty", () => ""],
  ["has a thousand parts without a name", (id) => THOUSAND_PARTS + beginning(id) + "x" + END],
  [
    "has a thousand parts without a name behind its file",
    (id) => beginning(id) + "x\r\n" + THOUSAND_PARTS + END.slice(2),
  ],
];

for (const [claim, body] of BROKEN) {
  Deno.test(`upload_file: a body that ${claim} is refused, and nothing is left`, async () => {
    const project = await fresh();
    const reply = await call(project.editor, "upload-file", body(project.id), { headers: MULTIPART });
    assertRefused(reply, reply.status === 415 ? "unsupported_media_type" : "validation_failed");
    assertEquals(await leftovers(project.id), NOTHING);
  });
}

Deno.test("upload_file: a whole body made by hand is taken, so that the broken ones fail for their breaks", async () => {
  const project = await fresh();
  const reply = await call(project.editor, "upload-file", `${beginning(project.id)}bytes${END}`, {
    headers: MULTIPART,
  });
  assertEquals([reply.status, reply.body?.file?.file_size], [201, 5]);
});

const LATE: [string, string][] = [
  ["a second file", moreAfterTheFile('form-data; name="file"; filename="b.bin"')],
  ["a field", moreAfterTheFile('form-data; name="path"')],
  ["an end in the middle of the next part", moreAfterTheFile('form-data; name="path"').slice(0, 60)],
];

for (const [claim, rest] of LATE) {
  Deno.test(`upload_file: ${claim} that comes half a second after the file is refused, and nothing is left`, async () => {
    const project = await fresh();
    // The next boundary is what ends the file, so all of it but its own header comes first.
    const cut = rest.indexOf("content-disposition");
    const aMoment = () => new Promise((resolve) => setTimeout(resolve, 500));
    const body = inTwo(`${beginning(project.id)}bytes${rest.slice(0, cut)}`, rest.slice(cut), aMoment);
    assertRefused(await call(project.editor, "upload-file", body, { headers: MULTIPART }), "validation_failed");
    assertEquals(await leftovers(project.id), NOTHING);
  });
}

// The parser leaves out what is neither a field nor a file, and is done with the form before the body is.
for (
  const [claim, parts, status] of [
    ["a part without a name, and no file", "x-header: 1\r\n\r\nnobody's bytes", 422],
    ["an unfinished part after the file", `${FILE_PART}\r\n\r\nbytes\r\n--${BOUNDARY}unfinished`, 201],
  ] as const
) {
  Deno.test(`upload_file: a form with ${claim} is answered, though the body's end comes later`, async () => {
    const project = await fresh();
    const first = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="project_id"\r\n\r\n${project.id}\r\n` +
      `--${BOUNDARY}\r\n${parts}`;
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(first + END));
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.close();
      },
    });
    const reply = await call(project.editor, "upload-file", body, { headers: MULTIPART });
    assertEquals(reply.status, status, JSON.stringify(reply.body));
  });
}

Deno.test("upload_file: a client that hangs up in the middle leaves no row and no object", async () => {
  const project = await fresh();
  await hangUp(`${stack.url}/functions/v1/upload-file`, project.editor, project.id, 1_048_576);
  assertEquals(await leftoversInTheEnd(project.id), NOTHING);
});

/** Sends the head of a request that announces a whole upload, and so much of its body, and closes the connection. */
async function sendCut({ id, editor: { token } }: Project, body: Uint8Array, cut: number): Promise<void> {
  const { hostname, port, host } = new URL(stack.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = `POST /functions/v1/upload-file HTTP/1.1\r\nhost: ${host}\r\napikey: ${stack.publishableKey}\r\n` +
    `authorization: Bearer ${token}\r\ncontent-type: ${MULTIPART["content-type"]}\r\n` +
    `content-length: ${body.byteLength}\r\n\r\n`;
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(head));
  await writer.write(body.subarray(0, cut));
  if (cut > beginning(id).length) await uploadBegan(id);
}

Deno.test("upload_file: an upload of 300 kB cut at any byte leaves no row and no object", async () => {
  const projects = await Promise.all(Array.from({ length: 16 }, fresh));
  await Promise.all(projects.map(async (project) => {
    const encode = (text: string) => new TextEncoder().encode(text);
    const body = new Uint8Array([...encode(beginning(project.id)), ...new Uint8Array(300_000), ...encode(END)]);
    await sendCut(project, body, Math.floor(Math.random() * body.byteLength));
  }));
  for (const { id } of projects) assertEquals(await leftoversInTheEnd(id), NOTHING);
});

const CHANGES: [string, ErrorCode, (project: Project) => Promise<unknown>][] = [
  [
    "an editor who is removed",
    "project_not_found",
    async ({ id, editor }) =>
      await worker().from("project_collaborators").delete().eq("project_id", id).eq("user_id", editor.id),
  ],
  [
    "an editor who becomes a viewer",
    "forbidden",
    async ({ id, editor }) =>
      await worker().from("project_collaborators").update({ role: "viewer" }).eq("project_id", id).eq(
        "user_id",
        editor.id,
      ),
  ],
  ["a project that is archived", "project_not_active", (project) => setStatus(project, "archived")],
];

for (const [claim, code, change] of CHANGES) {
  Deno.test(`upload_file: ${claim} in the middle of an upload ends it with the reason, and nothing is left`, async () => {
    const project = await fresh();
    const body = inTwo(`${beginning(project.id)}half`, ` a file${END}`, async () => {
      await uploadBegan(project.id);
      await change(project);
    });
    const reply = await call(project.editor, "upload-file", body, { headers: MULTIPART });
    assertRefused(reply, code);
    assertEquals(await leftovers(project.id), NOTHING);
  });
}

Deno.test("upload_file: after fifty broken uploads at once the same process still answers, and holds nothing of them", async () => {
  const project = await fresh();
  await using process = await startFunctionProcess("upload-file");
  const { token } = project.editor;
  const headers = { ...MULTIPART, apikey: stack.publishableKey, authorization: `Bearer ${token}` };
  const projects = await Promise.all(Array.from({ length: 5 }, fresh));
  const send = async (index: number) => {
    const { id } = projects[index % 5] ?? project;
    if (index % 2 === 0) return await hangUp(process.url, project.editor, id, (index % 7) * 262_144);
    const [, body] = BROKEN[index % BROKEN.length] ?? [];
    const response = await fetch(process.url, { method: "POST", headers, body: body?.(id) }).catch(() => undefined);
    await response?.body?.cancel();
  };
  await Promise.all(Array.from({ length: 50 }, (_, index) => send(index)));
  for (const { id } of projects) assertEquals(await leftoversInTheEnd(id), NOTHING);
  const response = await fetch(process.url, {
    method: "POST",
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
    body: textUpload(project.id),
  });
  assertEquals([response.status, process.isRunning()], [201, true]);
  await response.body?.cancel();
});

const MEBIBYTE = 1_048_576;

/** An upload whose bytes are made while they are sent. */
async function sendMebibytes(url: string, project: Project, mebibytes: number): Promise<void> {
  let chunks = mebibytes * 16;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(beginning(project.id))),
    pull(controller) {
      if (chunks-- > 0) return controller.enqueue(new Uint8Array(65_536));
      controller.enqueue(new TextEncoder().encode(END));
      controller.close();
    },
  });
  const headers = { ...MULTIPART, apikey: stack.publishableKey, authorization: `Bearer ${project.editor.token}` };
  const response = await fetch(url, { method: "POST", headers, body });
  assertEquals([response.status, (await response.json()).file?.file_size], [201, mebibytes * MEBIBYTE]);
}

Deno.test("upload_file: a 45 MiB upload raises the function's memory by less than 20 MiB over its idle size", async () => {
  const project = await fresh();
  await using process = await startFunctionProcess("upload-file");
  // Idle is a function that has served: before that it has not even loaded what it is made of.
  for (let round = 0; round < 3; round++) await sendMebibytes(process.url, project, 1);
  const idle = await process.memory();
  for (let round = 0; round < 2; round++) await sendMebibytes(process.url, project, 45);
  const after = await process.memory();
  if (!idle || !after) return; // Only Linux says.
  const raised = Math.round((after.peak - idle.now) / MEBIBYTE);
  assert(raised < 20, `The process took ${raised} MiB more`);
});

Deno.test("upload_file: of one person's uploads that stall thirty-two are received, and another person's goes through", async () => {
  const project = await fresh();
  await using process = await startFunctionProcess("upload-file");
  const head = [
    "POST /upload-file HTTP/1.1",
    "host: x",
    `content-type: ${MULTIPART["content-type"]}`,
    `apikey: ${stack.publishableKey}`,
    `authorization: Bearer ${project.editor.token}`,
    "content-length: 1000000",
  ];
  const begun = new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${beginning(project.id)}${"x".repeat(70_000)}`);
  const { hostname, port } = new URL(process.url);
  const connections = await Promise.all(
    Array.from({ length: 60 }, () => Deno.connect({ hostname, port: Number(port) })),
  );
  const sent = connections.map((connection) =>
    new Blob([begun]).stream().pipeTo(connection.writable, { preventClose: true }).catch(() => {})
  );
  await uploadBegan(project.id, 32);
  const headers = { apikey: stack.publishableKey, authorization: `Bearer ${project.owner.token}` };
  const others = await anotherProject(project);
  const response = await fetch(process.url, { method: "POST", headers, body: textUpload(others.id) });
  assertEquals([response.status, (await response.json()).file?.status], [201, "ready"]);
  assertEquals((await leftovers(project.id)).rows, 32);
  for (const connection of connections) connection.close();
  await Promise.all(sent);
});

/** A zip cut off after its first entry, which inflates to so many zeros, and says that it is small. */
function zipBomb(name: string, bytes: number): Uint8Array {
  const packed = deflateRawSync(new Uint8Array(bytes));
  const zip = new Uint8Array(30 + name.length + packed.length);
  const header = new DataView(zip.buffer);
  header.setUint32(0, 0x04034b50, true);
  header.setUint16(8, 8, true); // Deflated.
  header.setUint32(18, packed.length, true);
  header.setUint32(22, 1, true);
  header.setUint16(26, name.length, true);
  zip.set(new TextEncoder().encode(name), 30);
  zip.set(packed, 30 + name.length);
  return zip;
}

Deno.test("upload_file: what inflates to a hundred times as much is not inflated to find out its type", async () => {
  const project = await fresh();
  await using process = await startFunctionProcess("upload-file");
  const headers = { apikey: stack.publishableKey, authorization: `Bearer ${project.editor.token}` };
  const upload = async (bytes: Uint8Array<ArrayBuffer>) => {
    const body = form(["project_id", project.id], ["file", new File([bytes], "a")]);
    const response = await fetch(process.url, { method: "POST", headers, body });
    return (await response.json()).file?.mime_type;
  };
  for (let round = 0; round < 3; round++) await upload(new Uint8Array(70_000));
  const idle = await process.memory();
  const bomb = zipBomb("[Content_Types].xml", 128 * MEBIBYTE);
  assertEquals(await upload(bomb.slice(0, 65_000)), "application/zip");
  assertEquals(await upload(new Uint8Array(gzipSync(bomb))), "application/gzip");
  const after = await process.memory();
  if (!idle || !after) return; // Only Linux says.
  const raised = Math.round((after.peak - idle.now) / MEBIBYTE);
  assert(raised < 50, `The process took ${raised} MiB more`);
});
