// Where people reach the project and where functions do may be two addresses: self-hosted, functions have the gateway's name
// in the network of the containers, and links that lead there open for nobody.
import { assertEquals } from "@std/assert";
import { stack } from "../support/stack.ts";
import { platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { anotherProject, createTeam } from "./project.ts";
import { textUpload } from "./uploads.ts";

const PUBLIC = "https://supabase.example.com";

for (const name of ["SUPABASE_PUBLIC_URL", "PUBLIC_URL"]) {
  Deno.test(`upload-file: with ${name} all links lead there, and the function itself goes on using SUPABASE_URL`, async () => {
    const project = await anotherProject(await createTeam());
    const environment = { ...await platformEnvironment(), [name]: `${PUBLIC}/` };
    await using process = await startFunctionProcess("upload-file", environment);
    const headers = { apikey: stack.publishableKey, authorization: `Bearer ${project.editor.token}` };
    const post = async (path: string, body: unknown) => {
      const sent = body instanceof FormData
        ? { body, headers }
        : { body: JSON.stringify(body), headers: { ...headers, "content-type": "application/json" } };
      return await (await fetch(process.url + path, { method: "POST", ...sent })).json();
    };
    const redirectOf = async (link: string) => {
      const path = link.slice(`${PUBLIC}/functions/v1/upload-file`.length);
      const response = await fetch(process.url + path, { redirect: "manual" });
      await response.body?.cancel();
      return response.headers.get("location") ?? "";
    };

    const uploaded = await post("", textUpload(project.id));
    const share = await post("/share", { file_id: uploaded.file.id, expires_in_seconds: 60 });
    const begun = { project_id: project.id, file_name: "a.txt", file_size: 4, mime_type: "text/plain" };
    const { file_id, upload } = await post("/signed", begun);
    const put = { method: "PUT", body: "text", headers: { "content-type": "text/plain" } };
    const arrived = await fetch(String(upload.url).replace(PUBLIC, stack.url), put);
    assertEquals([arrived.status, (await arrived.json()).Key], [200, `genesis-files/${upload.path}`]);
    const finished = await post("/finish", { file_id });

    const links = [uploaded.signed_url, share.url, upload.url, upload.resumable.url, finished.signed_url];
    const redirects = [await redirectOf(uploaded.signed_url), await redirectOf(share.url)];
    assertEquals([...links, ...redirects].filter((link) => !String(link).startsWith(`${PUBLIC}/`)), []);
    const bytes = await fetch((redirects[0] ?? "").replace(PUBLIC, stack.url));
    assertEquals(await bytes.text(), "some text");
  });
}
