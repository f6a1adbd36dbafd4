// Uploads of the typed client: large files go past the function, with tus-js-client in pieces.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "@std/assert";
import { type HttpRequest, Upload } from "tus-js-client";
import { createGenesis, type Database } from "../../shared/client/mod.ts";
import { removeMember, sha256 } from "../functions/uploads.ts";
import { stack } from "../support/stack.ts";
import { createClients, sharedClients } from "./team.ts";

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

Deno.test("who loses the right during an upload in pieces is told so, and not to try again", async () => {
  const { project, editor } = await createClients();
  let removed: Promise<void> | undefined;
  class LateUpload extends Upload {
    constructor(...[file, options]: ConstructorParameters<typeof Upload>) {
      const onBeforeRequest = async (request: HttpRequest) => {
        if (request.getMethod() === "PATCH") await (removed ??= removeMember(project, project.editor));
      };
      super(file, { ...options, onBeforeRequest });
    }
  }
  const uploading = editor.project(project.id).files.upload(file, { tus: LateUpload });
  const thrown = await uploading.catch((error) => error);
  assertEquals([thrown.code, thrown.isTransient], ["forbidden", false]);
});

Deno.test("a large upload straight to Storage ends when its caller gives it up, also where it is never answered", async () => {
  const { project } = await sharedClients();
  const given = new AbortController();
  const editor = createGenesis(createClient<Database>(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(project.editor.token),
    global: {
      fetch: (input, init) => {
        if (!String(input).includes("/object/upload/sign/")) return fetch(input, init);
        given.abort(new Error("enough"));
        return new Promise(() => {});
      },
    },
  }));
  const uploading = editor.project(project.id).files.upload(file, { signal: given.signal });
  assertEquals((await uploading.catch((error) => error)).message, "enough");
});

Deno.test("a file is downloaded under any name that Storage takes, and never another one for it", async () => {
  const { project, owner, editor } = await sharedClients();
  const names = ["what", "what?.txt", "alone?download=x&token=y", "last "];
  for (const name of names) {
    const way = `${stack.url}/storage/v1/object/genesis-files/${project.id}/${encodeURIComponent(name)}`;
    const headers = { apikey: stack.publishableKey, authorization: `Bearer ${project.editor.token}` };
    const put = await fetch(way, { method: "POST", headers, body: `the bytes of ${name}` });
    assertEquals(put.status, 200, await put.text());
  }
  await owner.reconcileFiles({ project_id: project.id, older_than_seconds: 0 });
  for (const name of names) {
    const blob = await editor.project(project.id).files.download({ file_path: `${project.id}/${name}` });
    assertEquals(await blob.text(), `the bytes of ${name}`);
  }
});
