// share_file: a share ends with the membership of who made it, for good.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createFile, createProject, invitationToken, type Person } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function shareBy(choose: (project: Awaited<ReturnType<typeof createProject>>) => Person) {
  const project = await createProject(db);
  const file = await createFile(db, project);
  const token_sha256 = await invitationToken();
  const request = { file_id: file.id, expires_in_seconds: 3600, token_sha256 };
  await db.rpc(choose(project).actor, "share_file", request);
  return { project, open: () => db.rpc("worker", "open_share", { token_sha256 }), token_sha256 };
}
const refusal = async (token_sha256: string) => (await db.refusal("worker", "open_share", { token_sha256 })).code;

Deno.test("a share of who left stays closed when they are let in again", async () => {
  const { project, token_sha256 } = await shareBy(({ editor }) => editor);
  const { id } = project.editor;
  await db.as(project.editor.actor, (tx) => tx`delete from public.project_collaborators where user_id = ${id}`);
  await db.sql`insert into public.project_collaborators (project_id, user_id) values (${project.id}, ${id})`;
  assertEquals(await refusal(token_sha256), "share_not_found");
});

Deno.test("a share goes on when its maker may only read now", async () => {
  const { project, open } = await shareBy(({ editor }) => editor);
  await db.sql`update public.project_collaborators set role = 'viewer' where user_id = ${project.editor.id}`;
  await open();
});

Deno.test("shares of both go on when a project is passed on, and end when the one who passed it on leaves", async () => {
  const [old, heir] = [await shareBy(({ owner }) => owner), await shareBy(({ editor }) => editor)];
  for (const { project: { id, owner, editor }, open } of [old, heir]) {
    await db.rpc(owner.actor, "transfer_project", { project_id: id, user_id: editor.id });
    await open();
  }
  const { id, owner } = old.project;
  await db.as(owner.actor, (tx) => tx`delete from public.project_collaborators where user_id = ${owner.id}`);
  await db.sql`insert into public.project_collaborators (project_id, user_id) values (${id}, ${owner.id})`;
  assertEquals(await refusal(old.token_sha256), "share_not_found");
});

Deno.test("a share of a holder whom a worker replaces stays closed when they are let in again", async () => {
  const { project: { id, owner, stranger }, token_sha256 } = await shareBy(({ owner }) => owner);
  await db.as("worker", (tx) => tx`update public.projects set owner_id = ${stranger.id} where id = ${id}`);
  await db.sql`insert into public.project_collaborators (project_id, user_id) values (${id}, ${owner.id})`;
  assertEquals(await refusal(token_sha256), "share_not_found");
});

Deno.test("a share that is being made while its maker is removed stays closed when they are let in again", async () => {
  const project = await createProject(db);
  const { id, actor } = project.editor;
  const [file, token_sha256] = [await createFile(db, project), await invitationToken()];
  await using own = await openTransaction(db, actor);
  await own.rpc("share_file", { file_id: file.id, expires_in_seconds: 3600, token_sha256 });
  await using removal = await openTransaction(db, project.owner.actor);
  const removing = removal.sql`delete from public.project_collaborators where user_id = ${id}`.execute();
  await waitUntilBlocked(db, removal, removing);
  await own.commit();
  await removing;
  await removal.commit();
  await db.sql`insert into public.project_collaborators (project_id, user_id) values (${project.id}, ${id})`;
  assertEquals(await refusal(token_sha256), "share_not_found");
});

Deno.test("a removal writes no share that has ended before", async () => {
  const { project } = await shareBy(({ editor }) => editor);
  const { id } = project.editor;
  await db.sql`
    update public.file_shares set created_at = now() - interval '1 day', expires_at = now() - interval '1 second'
    where created_by = ${id}`;
  await db.sql`delete from public.project_collaborators where user_id = ${id}`;
  const [share] = await db.sql`select revoked_at from public.file_shares where created_by = ${id}`;
  assertEquals(share?.revoked_at, null);
});

Deno.test("shares that one person makes at once take turns, so that a removal comes between them", async () => {
  const project = await createProject(db);
  const { actor } = project.editor;
  const file = await createFile(db, project);
  const request = async () => ({ file_id: file.id, expires_in_seconds: 3600, token_sha256: await invitationToken() });
  await using first = await openTransaction(db, actor);
  await first.rpc("share_file", await request());
  await using second = await openTransaction(db, actor);
  const waiting = second.rpc("share_file", await request());
  await waitUntilBlocked(db, second);
  await first.commit();
  await waiting;
});
