// decide_task: who may decide, and what is refused.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();

async function waiting(fields: Record<string, unknown> = {}) {
  const run = await startRun(db, graph([["review", "ship"]], { review: { type: "approval", ...fields } }));
  return { ...run.project, run, task_id: (await run.row("review")).id as string };
}

const codeOf = async (actor: Actor, args: Record<string, unknown>) =>
  (await db.refusal(actor, "decide_task", { decision: "approved", ...args })).code;

Deno.test("a viewer may not decide", async () => {
  const { viewer, task_id } = await waiting();
  assertEquals(await codeOf(viewer.actor, { task_id }), "forbidden");
});

Deno.test("what needs an owner is forbidden to an editor", async () => {
  const { editor, owner, run, task_id } = await waiting({ role: "owner" });
  assertEquals(await codeOf(editor.actor, { task_id }), "forbidden");
  assertEquals((await run.decide("review", owner)).task.status, "completed");
});

Deno.test("for a stranger there is no such task", async () => {
  const { stranger, task_id } = await waiting();
  assertEquals(await codeOf(stranger.actor, { task_id }), "task_not_found");
});

Deno.test("an admin of the platform who is no member may look but not decide", async () => {
  const { task_id } = await waiting();
  assertEquals(await codeOf((await createAdmin(db)).actor, { task_id }), "forbidden");
});

Deno.test("a worker is no person", async () => {
  const { task_id } = await waiting();
  assertEquals(await codeOf("worker", { task_id }), "forbidden");
});

Deno.test("someone without an account cannot even call it", async () => {
  const { task_id } = await waiting();
  assertEquals((await db.refusal("anon", "decide_task", { task_id, decision: "approved" })).sqlstate, "42501");
});

Deno.test("a task that does not exist is task_not_found", async () => {
  const { owner } = await waiting();
  assertEquals(await codeOf(owner.actor, { task_id: crypto.randomUUID() }), "task_not_found");
});

for (const decision of ["maybe", "", null]) {
  Deno.test(`the decision ${JSON.stringify(decision)} is refused and the task waits on`, async () => {
    const { owner, run, task_id } = await waiting();
    assertEquals(await codeOf(owner.actor, { task_id, decision }), "validation_failed");
    assertEquals((await run.statuses()).review, "waiting");
  });
}

Deno.test("a comment of more than 10,000 characters is refused", async () => {
  const { owner, task_id } = await waiting();
  assertEquals(await codeOf(owner.actor, { task_id, comment: "x".repeat(10_001) }), "validation_failed");
});

Deno.test("nothing is decided in an archived project", async () => {
  const { id, owner, task_id } = await waiting();
  await db.sql`update public.projects set status = 'archived' where id = ${id}`;
  assertEquals(await codeOf(owner.actor, { task_id }), "project_not_active");
});
