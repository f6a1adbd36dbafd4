// Self-hosted, functions know the gateway by a name of its own network: what callers get leads where callers can go.
import { assert, assertEquals } from "@std/assert";
import { anonymous } from "../support/actors.ts";
import { type Body, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { createTeam, type Project } from "./project.ts";
import { PNG, textUpload } from "./uploads.ts";

const PUBLIC = "https://api.example.com";

let project: Project;
let process: FunctionProcess;
Deno.test.beforeAll(async () => {
  project = await createTeam();
  const environment = { ...await platformEnvironment(), SUPABASE_PUBLIC_URL: `${PUBLIC}/` };
  process = await startFunctionProcess("upload-file", environment);
});
Deno.test.afterAll(async () => await process[Symbol.asyncDispose]());

/** Calls the function in its own process as the project's owner. */
async function ask(path: string, body: FormData | Record<string, unknown>, { url } = process): Promise<Body> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      authorization: `Bearer ${project.owner.token}`,
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      ...(body instanceof FormData ? {} : { "content-type": "application/json" }),
    },
    body: body instanceof FormData ? body : JSON.stringify(body),
  });
  return await response.json();
}

/** Where a link of the function's redirects to. */
async function follow(link: string): Promise<string> {
  const path = link.slice(`${PUBLIC}/functions/v1/upload-file`.length);
  const response = await fetch(process.url + path, { redirect: "manual" });
  await response.body?.cancel();
  return response.headers.get("location") ?? "";
}

Deno.test("public url: links, shares and where they redirect to lead to the public address", async () => {
  const { file, signed_url } = await ask("", textUpload(project.id));
  const { url } = await ask("/share", { file_id: file.id, expires_in_seconds: 60 });
  assert(signed_url.startsWith(`${PUBLIC}/functions/v1/upload-file/content/`), signed_url);
  assert(url.startsWith(`${PUBLIC}/functions/v1/upload-file/shared/`), url);
  for (const link of [signed_url, url]) {
    const location = await follow(link);
    assert(location.startsWith(`${PUBLIC}/storage/v1/object/sign/genesis-files/`), location);
    const { pathname, search } = new URL(location);
    assertEquals(await (await fetch(stack.url + pathname + search)).text(), "some text");
  }
});

Deno.test("public url: a direct upload goes to the public address, and is read behind it", async () => {
  const declared = { project_id: project.id, file_name: "a.png", file_size: PNG.length, mime_type: "image/png" };
  const { file_id, upload } = await ask("/signed", declared);
  assert(upload.url.startsWith(`${PUBLIC}/storage/v1/object/upload/sign/genesis-files/`), upload.url);
  assert(upload.resumable.url.startsWith(`${PUBLIC}/storage/v1/upload/resumable/`), upload.resumable.url);
  const bucket = anonymous().storage.from(upload.bucket);
  await bucket.uploadToSignedUrl(upload.path, upload.token, PNG, { contentType: "image/png" });
  assertEquals((await ask("/finish", { file_id })).file?.status, "ready");
});

Deno.test("public url: without one, links lead where the function itself finds the gateway", async () => {
  const { signed_url } = (await call(project.owner, "upload-file", textUpload(project.id))).body;
  assert(signed_url.startsWith(`${stack.url}/functions/v1/upload-file/content/`), signed_url);
});

Deno.test("public url: PUBLIC_URL is taken where that is what the function is given", async () => {
  const environment = { ...await platformEnvironment(), PUBLIC_URL: PUBLIC };
  await using other = await startFunctionProcess("upload-file", environment);
  const { signed_url } = await ask("", textUpload(project.id), other);
  assert(signed_url.startsWith(`${PUBLIC}/functions/v1/upload-file/content/`), signed_url);
});
