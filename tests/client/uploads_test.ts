// Uploads of the typed client: large files go past the function, with tus-js-client in pieces.
import { assert, assertEquals } from "@std/assert";
import { Upload } from "tus-js-client";
import { sha256 } from "../functions/uploads.ts";
import { sharedClients } from "./team.ts";

const bytes = new Uint8Array(13 * 1_048_576).fill(7);
const file = new File([bytes], "large.bin", { type: "application/octet-stream" });

Deno.test("a large file goes straight to Storage and is a file once it was read there", async () => {
  const { editor, project } = await sharedClients();
  const uploaded = await editor.project(project.id).files.upload(file, { path: "media/large.bin" });
  assertEquals([uploaded.file.status, uploaded.file.file_name, uploaded.file.sha256], [
    "ready",
    "large.bin",
    await sha256(bytes),
  ]);
});

Deno.test("with tus-js-client a large file goes in pieces and tells how far it is", async () => {
  const { editor, project } = await sharedClients();
  const seen: number[] = [];
  const onProgress = (sent: number) => void seen.push(sent);
  const uploaded = await editor.project(project.id).files.upload(file, { tus: Upload, onProgress });
  assertEquals([uploaded.file.status, uploaded.file.sha256], ["ready", await sha256(bytes)]);
  assertEquals(seen.at(-1), bytes.length);
  assert(seen.some((sent) => sent > 0 && sent < bytes.length));
});

Deno.test("an upload in pieces ends when its caller gives it up", async () => {
  const { editor, project } = await sharedClients();
  const given = new AbortController();
  const onProgress = () => given.abort(new Error("enough"));
  const thrown = await editor.project(project.id).files.upload(file, { tus: Upload, onProgress, signal: given.signal })
    .catch((error) => error);
  assertEquals(thrown.message, "enough");
});
