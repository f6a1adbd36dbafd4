// share_file, open_share, return_download, revoke_share: a link counts, ends, and speaks for who made it.
import { assertEquals } from "@std/assert";
import { type Actor, refused, shareDatabase } from "../../support/database.ts";
import { createAdmin, createFile, createProject, invitationToken, removeObject } from "../../support/factories.ts";
import { eventually } from "../../support/eventually.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function shared(fields: Record<string, unknown> = {}, by: "editor" | "worker" = "editor") {
  const project = await createProject(db);
  const file = await createFile(db, project);
  const token_sha256 = await invitationToken();
  const request = { file_id: file.id, expires_in_seconds: 3600, token_sha256, ...fields };
  const share = await db.rpc(by === "editor" ? project.editor.actor : "worker", "share_file", request);
  return { project, file, share, open: () => db.rpc("worker", "open_share", { token_sha256 }), token_sha256 };
}
const openRefused = async (token_sha256: string) => (await db.refusal("worker", "open_share", { token_sha256 })).code;
const downloads = async (id: string) =>
  (await db.sql`select downloads from public.file_shares where id = ${id}`)[0]?.downloads;

Deno.test("a share leads to its file, under the name to save it by, and is counted", async () => {
  const { file, share, open } = await shared();
  assertEquals(await open(), {
    share_id: share.share_id,
    bucket_name: "genesis-files",
    file_path: file.file_path,
    file_name: "notes.txt",
  });
  assertEquals(await downloads(share.share_id), 1);
});

Deno.test("of fifty visitors at once of a share with one download, one gets through", async () => {
  const { share, open } = await shared({ max_downloads: 1 });
  const results = await Promise.allSettled(Array.from({ length: 50 }, open));
  assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
  assertEquals(await downloads(share.share_id), 1);
});

Deno.test("a download that could not begin is given back", async () => {
  const { share, open, token_sha256 } = await shared({ max_downloads: 1 });
  await open();
  assertEquals(await openRefused(token_sha256), "share_expired");
  assertEquals(await db.rpc("worker", "return_download", { share_id: share.share_id }), { returned: true });
  await open();
});

Deno.test("nothing is given back beyond nought", async () => {
  const { share } = await shared();
  assertEquals(await db.rpc("worker", "return_download", { share_id: share.share_id }), { returned: false });
});

Deno.test("an expired share is share_expired", async () => {
  const { share, token_sha256 } = await shared();
  await db.sql`update public.file_shares set expires_at = now() - interval '1 second' where id = ${share.share_id}`;
  assertEquals(await openRefused(token_sha256), "share_expired");
});

const ENDS: [
  string,
  (shared: Awaited<ReturnType<typeof import("../../support/factories.ts").createProject>>) => Promise<unknown>,
][] = [
  [
    "whose maker was removed",
    ({ editor }) => db.sql`delete from public.project_collaborators where user_id = ${editor.id}`,
  ],
  ["whose maker's account is gone", ({ editor }) => db.sql`delete from auth.users where id = ${editor.id}`],
  ["of a deleted project", ({ id }) => db.sql`update public.projects set status = 'deleted' where id = ${id}`],
  ["of a project that is gone", ({ id }) => db.sql`delete from public.projects where id = ${id}`],
];
for (const [claim, end] of ENDS) {
  Deno.test(`a share ${claim} is share_not_found`, async () => {
    const { project, token_sha256 } = await shared();
    await end(project);
    assertEquals(await openRefused(token_sha256), "share_not_found");
  });
}

Deno.test("a share of a removed file is share_not_found", async () => {
  const { file, token_sha256 } = await shared();
  await removeObject(db, file.file_path);
  assertEquals(await openRefused(token_sha256), "share_not_found");
});

Deno.test("a share of an archived project still opens, and so does one of someone who may only read now", async () => {
  const { project, open } = await shared();
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  await db.sql`update public.project_collaborators set role = 'viewer' where user_id = ${project.editor.id}`;
  await open();
});

Deno.test("a worker's share belongs to nobody and opens", async () => {
  const { open } = await shared({}, "worker");
  await open();
});

Deno.test("a revoked share is share_not_found, and revoking again changes nothing", async () => {
  const { project, share, token_sha256 } = await shared();
  for (let times = 0; times < 2; times++) {
    assertEquals(await db.rpc(project.editor.actor, "revoke_share", { share_id: share.share_id }), { revoked: true });
  }
  assertEquals(await openRefused(token_sha256), "share_not_found");
});

const VANISHING: [string, string][] = [
  ["is revoked", "update public.file_shares set revoked_at = now() where id = $1"],
  [
    "goes with its file",
    "delete from public.file_storage where id = (select file_id from public.file_shares where id = $1)",
  ],
];
for (const [claim, end] of VANISHING) {
  Deno.test(`a share that ${claim} while somebody opens it is share_not_found`, async () => {
    // The visitor waits no more than half a second for who ends it: on a slow machine that takes several attempts.
    const meet = async () => {
      const { share, token_sha256 } = await shared();
      await using ending = await openTransaction(db, "superuser");
      await ending.sql.unsafe(end, [share.share_id]);
      await using visitor = await openTransaction(db, "worker");
      const refusal = refused(visitor.rpc("open_share", { token_sha256 }));
      await waitUntilBlocked(db, visitor, refusal);
      await ending.commit();
      return await refusal;
    };
    const { code } = await eventually(meet, ({ sqlstate }) => sqlstate !== "55P03");
    assertEquals(code, "share_not_found");
  });
}

Deno.test("an owner revokes any share of the project, also when it is archived", async () => {
  const { project, share } = await shared();
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals(await db.rpc(project.owner.actor, "revoke_share", { share_id: share.share_id }), { revoked: true });
});

Deno.test("a viewer and an admin cannot revoke, and a stranger cannot tell a share from none", async () => {
  const { project, share } = await shared();
  const ask = async (actor: { user: string }, share_id = share.share_id) =>
    (await db.refusal(actor, "revoke_share", { share_id })).code;
  assertEquals(await ask(project.viewer.actor), "forbidden");
  assertEquals(await ask((await createAdmin(db)).actor), "forbidden");
  assertEquals(await ask(project.stranger.actor), "share_not_found");
  assertEquals(await ask(project.owner.actor, crypto.randomUUID()), "share_not_found");
});

for (const token_sha256 of ["", "x", "A".repeat(64), "0".repeat(64), "0".repeat(63), null]) {
  Deno.test(`the token ${JSON.stringify(token_sha256)} opens nothing`, async () => {
    assertEquals((await db.refusal("worker", "open_share", { token_sha256 })).code, "share_not_found");
  });
}

for (const door of ["open_share", "return_download"]) {
  Deno.test(`only the service may call ${door}`, async () => {
    const { project, share, token_sha256 } = await shared();
    const request = door === "open_share" ? { token_sha256 } : { share_id: share.share_id };
    assertEquals((await db.refusal(project.owner.actor, door, request)).code, "forbidden");
  });
}

const WRONG: [string, Record<string, unknown>, string][] = [
  ["for less than a minute", { expires_in_seconds: 59 }, "validation_failed"],
  ["for more than a month", { expires_in_seconds: 2_592_001 }, "validation_failed"],
  ["without an end", { expires_in_seconds: null }, "validation_failed"],
  ["with no download", { max_downloads: 0 }, "validation_failed"],
  ["without a token's hash", { token_sha256: null }, "validation_failed"],
  ["of no file", { file_id: crypto.randomUUID() }, "file_not_found"],
];
for (const [claim, fields, code] of WRONG) {
  Deno.test(`a share ${claim} is ${code}`, async () => {
    const project = await createProject(db);
    const file = await createFile(db, project);
    const request = { file_id: file.id, expires_in_seconds: 60, token_sha256: await invitationToken(), ...fields };
    assertEquals((await db.refusal(project.editor.actor, "share_file", request)).code, code);
  });
}

Deno.test("a viewer cannot share, a stranger cannot see the file, and an archived project lets nothing out", async () => {
  const project = await createProject(db);
  const request = {
    file_id: (await createFile(db, project)).id,
    expires_in_seconds: 60,
    token_sha256: await invitationToken(),
  };
  assertEquals((await db.refusal(project.viewer.actor, "share_file", request)).code, "forbidden");
  assertEquals((await db.refusal(project.stranger.actor, "share_file", request)).code, "file_not_found");
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals((await db.refusal(project.owner.actor, "share_file", request)).code, "project_not_active");
});

Deno.test("a file under way cannot be shared", async () => {
  const project = await createProject(db);
  const { file } = await db.rpc(project.editor.actor, "register_upload", { project_id: project.id, file_name: "a" });
  const request = { file_id: file.id, expires_in_seconds: 60, token_sha256: await invitationToken() };
  assertEquals((await db.refusal(project.editor.actor, "share_file", request)).code, "file_not_found");
});

Deno.test("one person has a thousand shares at work in a project, beside those that ended", async () => {
  const project = await createProject(db);
  const { id } = await createFile(db, project);
  await db.sql`
    insert into public.file_shares (file_id, project_id, created_by, created_at, expires_at, revoked_at)
    select ${id}, ${project.id}, ${project.editor.id}, now() - interval '1 day',
      now() + case n % 3 when 1 then interval '-1 second' else '1 hour' end, case n % 3 when 2 then now() end
    from generate_series(1, 2999) as n`;
  const share = async (actor: Actor) =>
    await db.rpc(actor, "share_file", { file_id: id, expires_in_seconds: 3600, token_sha256: await invitationToken() });
  await share(project.editor.actor);
  const refusal = await db.refusal(project.editor.actor, "share_file", {
    file_id: id,
    expires_in_seconds: 3600,
    token_sha256: await invitationToken(),
  });
  assertEquals(refusal.code, "too_many_shares");
  await share(project.owner.actor);
});

for (const door of ["open_share", "return_download"] as const) {
  Deno.test(`${door} does not wait long for a share that somebody else holds`, async () => {
    const { share: { share_id }, token_sha256 } = await shared();
    await db.sql`update public.file_shares set downloads = 1 where id = ${share_id}`;
    await using holder = await openTransaction(db, "superuser");
    await holder.sql`select from public.file_shares where id = ${share_id} for update`;
    await using own = await openTransaction(db, "worker");
    // Only the door's own limit can be what ends it before this.
    await own.sql`set local lock_timeout = 0`;
    await own.sql`set local statement_timeout = '10s'`;
    const request = door === "open_share" ? { token_sha256 } : { share_id };
    assertEquals((await refused(own.rpc(door, request))).sqlstate, "55P03");
  });
}

Deno.test("a hash of a token that another share has is validation_failed, and makes no share", async () => {
  const { project, file, token_sha256 } = await shared();
  const request = { file_id: file.id, expires_in_seconds: 60, token_sha256 };
  const refusal = await db.refusal(project.editor.actor, "share_file", request);
  assertEquals([refusal.code, refusal.details.fields], [
    "validation_failed",
    [{ path: "token_sha256", message: "must not have been used before" }],
  ]);
  assertEquals((await db.sql`select from public.file_shares where file_id = ${file.id}`).count, 1);
});
