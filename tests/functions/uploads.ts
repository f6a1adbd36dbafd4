// Building uploads by hand, also broken ones, and looking for what an upload left behind.
import { type Person, worker } from "../support/actors.ts";
import { eventually } from "../support/eventually.ts";
import { sql } from "./behind.ts";
import type { Project } from "./project.ts";

/** A picture of one pixel. */
export const PNG = Uint8Array.fromBase64(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
);

export const sha256 = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();

/** Puts someone out of the project. */
export async function removeMember(project: Project, person: Person): Promise<void> {
  const { error } = await worker().from("project_collaborators").delete()
    .eq("project_id", project.id).eq("user_id", person.id);
  if (error) throw new Error(`Cannot remove ${person.email}: ${error.message}`);
}

/** A form as any client sends it: the fields in the order given, the file where it stands among them. */
export function form(...parts: [string, string | File][]): FormData {
  const data = new FormData();
  for (const [name, value] of parts) {
    if (value instanceof File) data.append(name, value, value.name);
    else data.append(name, value);
  }
  return data;
}

/** The project, then one small text file. */
export const textUpload = (projectId: string, text = "some text") =>
  form(["project_id", projectId], ["file", new File([text], "notes.txt", { type: "text/plain" })]);

export const BOUNDARY = "----boundary";
export const MULTIPART = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };

/** Raw multipart up to the file's first byte; append bytes, and `END` for a whole body. */
export const beginning = (projectId: string, fileHeader = 'form-data; name="file"; filename="a.bin"') =>
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="project_id"\r\n\r\n${projectId}\r\n` +
  `--${BOUNDARY}\r\ncontent-disposition: ${fileHeader}\r\ncontent-type: application/octet-stream\r\n\r\n`;
export const END = `\r\n--${BOUNDARY}--\r\n`;

/** A body that sends this text and some bytes, and then neither ends nor says more. */
export function stalling(text: string, bytes: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      for (let sent = 0; sent < bytes; sent += 65_536) controller.enqueue(new Uint8Array(65_536));
    },
  });
}

/** A body that sends the first text, and the second once `between` is done. */
export function inTwo(first: string, second: string, between: () => Promise<unknown>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(first));
      await between();
      controller.enqueue(new TextEncoder().encode(second));
      controller.close();
    },
  });
}

/** One more part after the file's bytes, and the end. */
export const moreAfterTheFile = (disposition: string) =>
  `\r\n--${BOUNDARY}\r\ncontent-disposition: ${disposition}\r\n\r\nmore${END}`;

/** How many rows and objects the project has. */
export async function leftovers(projectId: string): Promise<{ rows: number; objects: number }> {
  const [row] = await sql()<{ rows: number; objects: number }[]>`
    select
      (select count(*)::integer from public.file_storage where project_id = ${projectId}) as rows,
      (select count(*)::integer from storage.objects where bucket_id = 'genesis-files' and name like ${
    projectId + "/%"
  }) as objects`;
  return { rows: row?.rows ?? -1, objects: row?.objects ?? -1 };
}

/** The same, once nothing is left: taking back goes on after a client has gone. */
export const leftoversInTheEnd = (projectId: string) =>
  eventually(() => leftovers(projectId), ({ rows, objects }) => rows + objects === 0);

/** Resolves when so many uploads into the project have begun: their rows are reserved. */
export async function uploadBegan(projectId: string, uploads = 1): Promise<void> {
  await eventually(() => leftovers(projectId), ({ rows }) => rows >= uploads);
}
