// sign_upload, check_upload: a direct upload is reserved with what it says it will be, and looked at before it is read.
import { assertEquals } from "@std/assert";
import { MAX_FILE_BYTES } from "../../../shared/contract/upload-file.ts";
import { shareDatabase } from "../../support/database.ts";
import { createProject, storeObject } from "../../support/factories.ts";

const db = await shareDatabase();

async function signed(fields: Record<string, unknown> = {}) {
  const project = await createProject(db);
  const request = { project_id: project.id, file_name: "a.png", file_size: 5, mime_type: "image/png", ...fields };
  return { project, request };
}

Deno.test("what was declared is kept, and the file is pending", async () => {
  const { project, request } = await signed();
  const { file } = await db.rpc(project.editor.actor, "sign_upload", request);
  assertEquals([file.status, file.file_size, file.mime_type, file.file_path], [
    "pending",
    5,
    "image/png",
    `${project.id}/${file.id}`,
  ]);
});

Deno.test("a file of the bucket's limit may be declared, one byte more is payload_too_large", async () => {
  const { project, request } = await signed({ file_size: MAX_FILE_BYTES });
  await db.rpc(project.editor.actor, "sign_upload", request);
  const more = { ...request, file_size: MAX_FILE_BYTES + 1 };
  assertEquals((await db.refusal(project.editor.actor, "sign_upload", more)).code, "payload_too_large");
});

for (
  const fields of [{ file_size: -1 }, { file_size: null }, { mime_type: "png" }, { mime_type: null }, { file_name: "" }]
) {
  Deno.test(`${JSON.stringify(fields)} is validation_failed`, async () => {
    const { project, request } = await signed(fields);
    assertEquals((await db.refusal(project.editor.actor, "sign_upload", request)).code, "validation_failed");
  });
}

for (const [who, code] of [["viewer", "forbidden"], ["stranger", "project_not_found"]] as const) {
  Deno.test(`a ${who} gets ${code}`, async () => {
    const { project, request } = await signed();
    assertEquals((await db.refusal(project[who].actor, "sign_upload", request)).code, code);
  });
}

Deno.test("one person has a thousand uploads under way, those that are over too; other people's do not count", async () => {
  const { project, request } = await signed();
  await db.sql`
    insert into public.file_storage (project_id, file_path, file_name, uploaded_by, upload_seconds)
    select ${project.id}, ${project.id} || '/' || n, 'a.png', ${project.editor.id}, case n when 1 then 0 else 900 end
    from generate_series(1, 999) as n`;
  await db.rpc(project.editor.actor, "sign_upload", request);
  assertEquals((await db.refusal(project.editor.actor, "sign_upload", request)).code, "too_many_uploads");
  await db.rpc(project.owner.actor, "sign_upload", request);
});

async function waiting() {
  const { project, request } = await signed();
  const { file } = await db.rpc(project.editor.actor, "sign_upload", request);
  return { project, file, ask: { file_id: file.id } };
}

Deno.test("an upload can be finished by who began it once its object is there", async () => {
  const { project, file, ask } = await waiting();
  assertEquals((await db.refusal(project.editor.actor, "check_upload", ask)).code, "file_not_found");
  await storeObject(db, file.file_path, 5);
  assertEquals((await db.rpc(project.editor.actor, "check_upload", ask)).file.id, file.id);
  assertEquals((await db.rpc("worker", "check_upload", ask)).file.id, file.id);
});

for (const who of ["owner", "viewer", "stranger"] as const) {
  Deno.test(`the editor's upload under way is nothing to the ${who}`, async () => {
    const { project, file, ask } = await waiting();
    await storeObject(db, file.file_path, 5);
    assertEquals((await db.refusal(project[who].actor, "check_upload", ask)).code, "file_not_found");
  });
}

Deno.test("after three hours it is upload_expired", async () => {
  const { project, file, ask } = await waiting();
  await storeObject(db, file.file_path, 5);
  await db.sql`update public.file_storage set created_at = now() - interval '3 hours' where id = ${file.id}`;
  assertEquals((await db.refusal(project.editor.actor, "check_upload", ask)).code, "upload_expired");
});

Deno.test("once it is ready it is answered as it is, however late, and only to who began it", async () => {
  const { project, file, ask } = await waiting();
  await storeObject(db, file.file_path, 5);
  await db.rpc("worker", "finish_upload", { ...ask, file_size: 5, sha256: "a".repeat(64) });
  await db.sql`update public.file_storage set created_at = now() - interval '3 hours' where id = ${file.id}`;
  const answer = await db.rpc(project.editor.actor, "check_upload", ask);
  assertEquals([answer.file.status, answer.file.sha256], ["ready", "a".repeat(64)]);
  assertEquals((await db.refusal(project.owner.actor, "check_upload", ask)).code, "forbidden");
});
