// POST /upload-file/share, GET /shared/:token and DELETE /share/:share_id over HTTP: a link, for anyone, until it ends.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { shareFile } from "../../shared/contract/upload-file.ts";
import { worker } from "../support/actors.ts";
import { assertAnswer, assertRefused, type Body, call, type Sender } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { testAccess } from "./access.ts";
import { sql } from "./behind.ts";
import { anotherProject, type Project } from "./project.ts";
import { removeMember, textUpload } from "./uploads.ts";

async function uploaded(project: Project): Promise<Body> {
  return (await call("worker", "upload-file", textUpload(project.id))).body.file;
}

const team = testAccess({
  path: "upload-file/share",
  operation: shareFile,
  body: async (project) => ({ file_id: (await uploaded(project)).id, expires_in_seconds: 3600 }),
  stranger: "file_not_found",
  editor: "allowed",
});
const fresh = async () => await anotherProject(await team());

async function shared(project: Project, fields = {}): Promise<Body> {
  const file_id = (await uploaded(project)).id;
  const reply = await call(project.editor, "upload-file/share", { file_id, expires_in_seconds: 3600, ...fields });
  return { file_id, ...assertAnswer(reply, shareFile, 201) };
}
const pathOf = ({ url }: Body) => url.slice(`${stack.url}/functions/v1/`.length);
const open = (share: Body, sender: Sender = "nobody") => call(sender, pathOf(share), undefined, { method: "GET" });
const revoke = (sender: Sender, { share_id }: Body) =>
  call(sender, `upload-file/share/${share_id}`, undefined, { method: "DELETE" });

Deno.test("open_share: anyone with the link downloads the file, under its name, and nobody keeps the link", async () => {
  const share = await shared(await fresh());
  const { status, headers } = await open(share);
  assertEquals([status, headers.get("cache-control"), headers.get("referrer-policy")], [
    302,
    "no-store",
    "no-referrer",
  ]);
  const response = await fetch(headers.get("location") ?? "");
  assertEquals(await response.text(), "some text");
  assertMatch(response.headers.get("content-disposition") ?? "", /^attachment;.*notes\.txt/);
});

Deno.test("open_share: of thirty visitors at once of a link for one download, one gets it", async () => {
  const share = await shared(await fresh(), { max_downloads: 1 });
  const replies = await Promise.all(Array.from({ length: 30 }, () => open(share)));
  assertEquals(replies.filter(({ status }) => status === 302).length, 1);
  for (const reply of replies) if (reply.status !== 302) assertRefused(reply, "share_expired");
});

Deno.test("open_share: a HEAD counts nothing", async () => {
  const share = await shared(await fresh(), { max_downloads: 1 });
  const head = await fetch(share.url, { method: "HEAD", redirect: "manual" });
  assertEquals([head.status, (await open(share)).status], [405, 302]);
});

Deno.test("open_share: a wrong token, a longer one and the hash itself are share_not_found", async () => {
  const share = await shared(await fresh());
  const token = share.url.split("/").at(-1);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))).toHex();
  for (const wrong of [hash, `${token}0`, token.toUpperCase(), "%00", "a".repeat(200)]) {
    const reply = await call("nobody", `upload-file/shared/${wrong}`, undefined, { method: "GET" });
    assert([404, 422].includes(reply.status), `${wrong}: ${reply.status}`);
  }
});

Deno.test("open_share: the token is nowhere in the database", async () => {
  const share = await shared(await fresh());
  const token = share.url.split("/").at(-1);
  const rows = await sql()`
    select from private.file_share_tokens as t join public.file_shares as s on s.id = t.share_id
    where s.id = ${share.share_id} and (t::text || s::text) like ${`%${token}%`}`;
  assertEquals(rows.length, 0);
});

Deno.test("revoke_share: a revoked link opens nothing, and revoking twice is as once", async () => {
  const project = await fresh();
  const share = await shared(project);
  assertRefused(await revoke(project.viewer, share), "forbidden");
  assertRefused(await revoke(project.stranger, share), "share_not_found");
  for (let times = 0; times < 2; times++) assertEquals((await revoke(project.editor, share)).status, 204);
  assertRefused(await open(share), "share_not_found");
});

Deno.test("open_share: a link ends with its maker's membership, and with its file", async () => {
  const project = await fresh();
  const [first, second] = [await shared(project), await shared(project)];
  await call(project.owner, `upload-file/${second.file_id}`, undefined, { method: "DELETE" });
  assertRefused(await open(second), "share_not_found");
  await removeMember(project, project.editor);
  assertRefused(await open(first), "share_not_found");
});

Deno.test("share_file: members see that a file is shared, strangers do not, and nobody sees a token", async () => {
  const project = await fresh();
  const { share_id } = await shared(project);
  const seen = async (person: typeof project.owner) =>
    (await person.client.from("file_shares").select("*").eq("id", share_id)).data ?? [];
  assertEquals([(await seen(project.viewer)).length, (await seen(project.stranger)).length], [1, 0]);
  assertEquals(Object.keys((await seen(project.viewer))[0] ?? {}).filter((key) => /token|hash/.test(key)), []);
  assertEquals((await worker().from("file_shares").select("downloads").eq("id", share_id)).data, [{ downloads: 0 }]);
});
Deno.test.afterAll(async () => await sql().end());
