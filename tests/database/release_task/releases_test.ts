// release_task: a worker gives a task back unused.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, startRun } from "../../support/run.ts";

const db = await shareDatabase();

async function claimed(options = {}) {
  const run = await startRun(db, graph([["a", "b"]], options));
  const { id: task_id, lease_token } = await run.lease("a");
  return { run, ...run.project, request: { task_id, lease_token } };
}

Deno.test("a released task is pending again at once, and the attempt does not count", async () => {
  const { run, request } = await claimed({ a: oneAttempt });
  const { task } = await db.rpc("worker", "release_task", request);
  assertEquals([task.status, task.attempt], ["pending", 0]);
  assertEquals(await run.claim(), ["a"]);
  assertEquals((await run.row("a")).attempt, 1);
});

Deno.test("whoever released a task has no word in it any more", async () => {
  const { request } = await claimed();
  await db.rpc("worker", "release_task", request);
  for (
    const [door, fields] of [["complete_task", { status: "completed" }], ["heartbeat_task", {}], [
      "release_task",
      {},
    ]] as const
  ) {
    assertEquals((await db.refusal("worker", door, { ...request, ...fields })).code, "task_lease_lost", door);
  }
});

Deno.test("a late worker whose task nobody took may still release it", async () => {
  const { run, request } = await claimed();
  await expireLeases(db, run.id);
  assertEquals((await db.rpc("worker", "release_task", request)).task.status, "pending");
});

Deno.test("a cancelled task is answered as cancelled", async () => {
  const { run, owner, request } = await claimed();
  await db.rpc(owner.actor, "cancel_execution", { execution_id: run.id });
  assertEquals((await db.rpc("worker", "release_task", request)).task.status, "cancelled");
});

Deno.test("another token than the lease's releases nothing", async () => {
  const { run, request } = await claimed();
  const refusal = await db.refusal("worker", "release_task", { ...request, lease_token: crypto.randomUUID() });
  assertEquals([refusal.code, refusal.sqlstate, (await run.statuses()).a], ["task_lease_lost", "PT409", "running"]);
});

Deno.test("a release is written down with its worker", async () => {
  const { run, request } = await claimed();
  await db.rpc("worker", "release_task", request);
  assertEquals((await run.events()).at(-1), { type: "task.released", task: "a", data: { worker_id: "a worker" } });
});

Deno.test("an editor and an owner may release; a viewer may not, and for a stranger there is no such task", async () => {
  const { viewer, editor, stranger, request } = await claimed();
  const codeOf = async (actor: Actor) => (await db.refusal(actor, "release_task", request)).code;
  assertEquals([await codeOf(viewer.actor), await codeOf(stranger.actor)], ["forbidden", "task_not_found"]);
  assertEquals((await db.refusal("anon", "release_task", request)).sqlstate, "42501");
  assertEquals((await db.rpc(editor.actor, "release_task", request)).task.status, "pending");
});

Deno.test("an element of a map can be released", async () => {
  const run = await startRun(db, graph([["m", "b"]], { m: { type: "map", over: "$.files" } }), { files: [1] });
  const { id: task_id, lease_token } = await run.lease("m[0]");
  await db.rpc("worker", "release_task", { task_id, lease_token });
  assertEquals(await run.claim(), ["m[0]"]);
});

Deno.test("nothing is released in an archived project", async () => {
  const { id, request } = await claimed();
  await db.sql`update public.projects set status = 'archived' where id = ${id}`;
  assertEquals((await db.refusal("worker", "release_task", request)).code, "project_not_active");
});
