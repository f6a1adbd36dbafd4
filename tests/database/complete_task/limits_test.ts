// complete_task: what it refuses, and from whom.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  claimNode,
  createProject,
  createUser,
  graph,
  report,
  startExecution,
  statuses,
} from "../../support/factories.ts";

const db = await shareDatabase();

async function claimedTask() {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  return { project, execution, task: await claimNode(db, execution.id, "a") };
}

const MIB = 1024 * 1024;
const refused: [string, Record<string, unknown>, string][] = [
  ["an output over 1 MiB", { output_data: { text: "x".repeat(MIB) } }, "payload_too_large"],
  ["an error message over 1 MiB", { status: "failed", error_message: "x".repeat(MIB + 1) }, "payload_too_large"],
  ["an artifact over 1 MiB", { artifacts: [{ file_path: "a", content: "x".repeat(MIB + 1) }] }, "payload_too_large"],
  ["an unknown status", { status: "running" }, "validation_failed"],
  ["no status", { status: null }, "validation_failed"],
  ["a negative time", { execution_time_ms: -1 }, "validation_failed"],
];
for (const [what, fields, code] of refused) {
  Deno.test(`${what} is refused as ${code}, and the task goes on running`, async () => {
    const { execution, task } = await claimedTask();
    assertEquals((await db.refusal("worker", "complete_task", report(task, fields))).code, code);
    assertEquals((await statuses(db, execution.id)).a, "running");
    assertEquals((await db.rpc("worker", "complete_task", report(task))).task.status, "completed");
  });
}

Deno.test("an output of exactly 1 MiB is taken", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "__end__"]]));
  const output_data = { text: "x".repeat(MIB - '{"text": ""}'.length) };
  const answer = await db.rpc(
    "worker",
    "complete_task",
    report(await claimNode(db, execution.id, "a"), { output_data }),
  );
  assertEquals(answer.task.status, "completed");
});

Deno.test("outputs whose sum is too much for the join are refused with the join's name", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, graph([["a", "join"], ["b", "join"]]));
  const { a, b } = await claimAll(db, execution.id);
  const output_data = { text: "x".repeat(700_000) };
  await db.rpc("worker", "complete_task", report(a, { output_data }));
  const refusal = await db.refusal("worker", "complete_task", report(b, { output_data }));
  assertEquals([refusal.code, refusal.details], ["payload_too_large", { node_id: "join" }]);
  assertEquals(await statuses(db, execution.id), { a: "completed", b: "running", join: "blocked" });
});

Deno.test("an editor can claim and complete", async () => {
  const { project, execution } = await claimedTask();
  const { execution: own } = await startExecution(db, project, graph([["a", "b"]]));
  const { a } = await claimAll(db, own.id, { actor: project.editor.actor });
  assertEquals((await db.rpc(project.editor.actor, "complete_task", report(a))).task.status, "completed");
  assertEquals((await statuses(db, execution.id)).a, "running");
});

Deno.test("a viewer who has the token gets forbidden, and nothing changes", async () => {
  const { project, execution, task } = await claimedTask();
  const refusal = await db.refusal(project.viewer.actor, "complete_task", report(task));
  assertEquals([refusal.code, refusal.sqlstate], ["forbidden", "PT403"]);
  assertEquals((await statuses(db, execution.id)).a, "running");
});

Deno.test("a stranger cannot tell a task they have the token of from one that does not exist", async () => {
  const { project, task, execution } = await claimedTask();
  const real = await db.refusal(project.stranger.actor, "complete_task", report(task));
  const made = await db.refusal(project.stranger.actor, "complete_task", {
    ...report(task),
    task_id: crypto.randomUUID(),
  });
  assertEquals([real.code, real.sqlstate], ["task_not_found", "PT404"]);
  assertEquals(real, made);
  assertEquals((await statuses(db, execution.id)).a, "running");
});

Deno.test("a former editor who still has the token gets task_not_found", async () => {
  const { project, task } = await claimedTask();
  await db.sql`delete from public.project_collaborators where user_id = ${project.editor.id}`;
  assertEquals((await db.refusal(project.editor.actor, "complete_task", report(task))).code, "task_not_found");
});

Deno.test("an admin who is no member gets forbidden", async () => {
  const { task } = await claimedTask();
  const admin = await createUser(db);
  await db.sql`update public.profiles set role = 'admin' where id = ${admin.id}`;
  assertEquals((await db.refusal(admin.actor, "complete_task", report(task))).code, "forbidden");
});

Deno.test("someone without an account may not call it at all", async () => {
  const { task } = await claimedTask();
  const actor: Actor = "anon";
  assertEquals((await db.refusal(actor, "complete_task", report(task))).sqlstate, "42501");
});

Deno.test("an editor cannot complete a task of a project that was archived meanwhile", async () => {
  const { project, task } = await claimedTask();
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  assertEquals((await db.refusal(project.editor.actor, "complete_task", report(task))).code, "project_not_active");
});
