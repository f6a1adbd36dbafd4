// POST /upload-file/finish of an upload that is given up while the function reads it.
import { assert } from "@std/assert";
import { signUpload } from "../../shared/contract/upload-file.ts";
import { anonymous, worker } from "../support/actors.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { createTeam } from "./project.ts";
import { PNG } from "./uploads.ts";

/** What happens before the function is given the object. */
let before = () => Promise.resolve();

/** The stack's URL as the function knows it. */
const way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.delete("host");
  if (request.method === "GET" && pathname.startsWith("/storage/v1/object/sign/")) await before();
  return await fetch(stack.url + pathname + search, { method: request.method, headers, body: request.body });
});
Deno.test.afterAll(() => way.shutdown());

Deno.test("finish_upload: an object that goes while it is read is file_not_found, and no fault of Storage's", async () => {
  const { id: project_id, editor } = await createTeam();
  const declared = { project_id, file_name: "a.png", file_size: PNG.byteLength, mime_type: "image/png" };
  const { upload, file_id } = assertAnswer(await call(editor, "upload-file/signed", declared), signUpload, 201);
  const sent = await anonymous().storage.from(upload.bucket)
    .uploadToSignedUrl(upload.path, upload.token, PNG, { contentType: "image/png" });
  assert(!sent.error, sent.error?.message);
  before = async () => {
    const { error } = await worker().storage.from(upload.bucket).remove([upload.path]);
    assert(!error, error?.message);
  };

  await using process = await startFunctionProcess(
    "upload-file",
    await platformEnvironment(`http://127.0.0.1:${way.addr.port}`),
  );
  const reply = await fetch(`${process.url}/finish`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      authorization: `Bearer ${editor.token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ file_id }),
  });
  assertRefused({ status: reply.status, headers: reply.headers, body: await reply.json() }, "file_not_found");
});
