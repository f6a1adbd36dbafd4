// decide_task: an approval waits for people, and their decision is the branch that is taken.
import { assertEquals, assertExists } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createUser, graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();

/** write → review, then ship when approved and rewrite when rejected. */
const reviewed = (fields: Record<string, unknown> = {}) => ({
  ...graph([["write", "review"], ["review", "ship"], ["review", "rewrite"]], {
    review: { type: "approval", ...fields },
  }),
  edges: [
    { source: "write", target: "review" },
    { source: "review", target: "ship" },
    { source: "review", target: "rewrite", label: "rejected" },
  ],
});

async function waiting(fields: Record<string, unknown> = {}) {
  const run = await startRun(db, reviewed(fields));
  await run.complete("write", { text: "a draft" });
  return { ...run.project, ...run };
}

Deno.test("an approval waits with the input a task of its place would have", async () => {
  const run = await waiting();
  assertEquals([(await run.statuses()).review, await run.input("review")], ["waiting", { write: { text: "a draft" } }]);
});

Deno.test("an approval waits for a person: no worker can claim it", async () => {
  const run = await waiting();
  assertEquals(await run.claim({ agent_types: ["approval", "architect"] }), []);
});

Deno.test("approved, the edges without a label are taken and those of a rejection are not", async () => {
  const run = await waiting();
  const { task, unlocked } = await run.decide("review", run.editor);
  assertEquals([task.status, task.label], ["completed", "approved"]);
  assertEquals(unlocked.map((one: { node_id: string }) => one.node_id), ["ship"]);
  assertEquals((await run.statuses()).rewrite, "skipped");
});

Deno.test("rejected, only the edges of a rejection are taken", async () => {
  const run = await waiting();
  const { task } = await run.decide("review", run.editor, "rejected", { comment: "Too long." });
  assertEquals([task.status, task.label], ["completed", "rejected"]);
  assertEquals([(await run.statuses()).ship, (await run.statuses()).rewrite], ["skipped", "pending"]);
});

Deno.test("a rejection that no edge waits for ends what lies behind", async () => {
  const run = await startRun(db, graph([["review", "ship"]], { review: { type: "approval" } }));
  const { execution } = await run.decide("review", run.project.owner, "rejected");
  assertEquals([execution.status, (await run.statuses()).ship], ["completed", "skipped"]);
});

Deno.test("who decided, what, when and why is the approval's output and stands in the state", async () => {
  const run = await waiting();
  await run.decide("review", run.owner, "approved", { comment: "Well done." });
  const { decided_at, ...rest } = (await run.state()).review;
  assertExists(Date.parse(decided_at));
  assertEquals(rest, { decision: "approved", comment: "Well done.", decided_by: run.owner.id });
  assertEquals(await run.input("ship"), { review: { review: { ...rest, decided_at } } });
});

Deno.test("every decision is kept as a row of its own that members can read", async () => {
  const run = await waiting({ approvals: 2 });
  await run.decide("review", run.owner, "approved", { comment: "Yes." });
  await run.decide("review", run.editor, "rejected");
  const rows = await db.as(
    run.viewer.actor,
    (tx) =>
      tx`select user_id, decision, comment from public.task_decisions where project_id = ${run.project.id} order by created_at`,
  );
  assertEquals(rows.map((row) => [row.user_id, row.decision, row.comment]), [
    [run.owner.id, "approved", "Yes."],
    [run.editor.id, "rejected", null],
  ]);
});

Deno.test("two approvals need two people", async () => {
  const run = await waiting({ approvals: 2 });
  const first = await run.decide("review", run.editor);
  assertEquals([first.task.status, first.unlocked], ["waiting", []]);
  const second = await run.decide("review", run.owner);
  assertEquals([second.task.status, second.unlocked.length], ["completed", 1]);
});

Deno.test("the same person twice counts once", async () => {
  const run = await waiting({ approvals: 2 });
  await run.decide("review", run.editor);
  assertEquals((await run.decide("review", run.editor)).task.status, "waiting");
  const rows = await db.sql`select from public.task_decisions where project_id = ${run.project.id}`;
  assertEquals(rows.length, 1);
});

Deno.test("nobody can change their mind", async () => {
  const run = await waiting({ approvals: 2 });
  await run.decide("review", run.editor);
  const task_id = (await run.row("review")).id;
  const refusal = await db.refusal(run.editor.actor, "decide_task", { task_id, decision: "rejected" });
  assertEquals([refusal.code, refusal.sqlstate], ["already_decided", "PT409"]);
});

Deno.test("what somebody approved counts also when they have left since", async () => {
  const run = await waiting({ approvals: 2 });
  await run.decide("review", run.editor);
  await db.sql`delete from public.project_collaborators where user_id = ${run.editor.id}`;
  assertEquals((await run.decide("review", run.owner)).task.status, "completed");
});

Deno.test("one rejection decides, however many approvals were wanted or given", async () => {
  const run = await waiting({ approvals: 3 });
  await run.decide("review", run.editor);
  assertEquals((await run.decide("review", run.owner, "rejected")).task.label, "rejected");
});

Deno.test("the same decision sent again after it took effect is answered again and changes nothing", async () => {
  const run = await waiting();
  await run.decide("review", run.editor);
  const before = [await run.statuses(), await run.events()];
  assertEquals((await run.decide("review", run.editor)).task.label, "approved");
  assertEquals([await run.statuses(), await run.events()], before);
});

Deno.test("a decision that comes too late is task_not_waiting", async () => {
  const run = await waiting();
  await run.decide("review", run.editor);
  const task_id = (await run.row("review")).id;
  const refusal = await db.refusal(run.owner.actor, "decide_task", { task_id, decision: "rejected" });
  assertEquals([refusal.code, refusal.sqlstate, refusal.details], ["task_not_waiting", "PT409", {
    status: "completed",
  }]);
});

Deno.test("an approval that is not reached yet is task_not_waiting", async () => {
  const run = await startRun(db, reviewed());
  const task_id = (await run.row("review")).id;
  const refusal = await db.refusal(run.project.owner.actor, "decide_task", { task_id, decision: "approved" });
  assertEquals([refusal.code, refusal.details], ["task_not_waiting", { status: "blocked" }]);
});

Deno.test("a task for an agent is task_not_waiting", async () => {
  const run = await waiting();
  const task_id = (await run.row("ship")).id;
  assertEquals(
    (await db.refusal(run.owner.actor, "decide_task", { task_id, decision: "approved" })).code,
    "task_not_waiting",
  );
});

Deno.test("an approval of a cancelled execution cannot be decided any more", async () => {
  const run = await waiting();
  await db.rpc(run.owner.actor, "cancel_execution", { execution_id: run.id });
  const task_id = (await run.row("review")).id;
  const refusal = await db.refusal(run.owner.actor, "decide_task", { task_id, decision: "approved" });
  assertEquals([refusal.code, refusal.details], ["task_not_waiting", { status: "cancelled" }]);
});

Deno.test("a rejection may send the work round again, and the second review is a new one", async () => {
  const run = await startRun(db, {
    ...graph([["write", "review"], ["review", "ship"]], { review: { type: "approval" } }),
    edges: [
      { source: "write", target: "review" },
      { source: "review", target: "write", label: "rejected", loop: { max_iterations: 2 } },
      { source: "review", target: "ship" },
    ],
  });
  await run.complete("write");
  await run.decide("review", run.project.editor, "rejected");
  await run.complete("write#1");
  await run.decide("review#1", run.project.editor, "approved");
  assertEquals((await run.statuses()).ship, "pending");
});

Deno.test("a loop behind an approval, with neither label nor condition, turns only when approved", async () => {
  const run = await startRun(db, {
    ...graph([["write", "review"]], { review: { type: "approval" } }),
    edges: [
      { source: "write", target: "review" },
      { source: "review", target: "write", loop: { max_iterations: 1 } },
    ],
  });
  await run.complete("write");
  assertEquals((await run.decide("review", run.project.editor, "rejected")).execution.status, "completed");
});

Deno.test("the events tell each decision and who made it", async () => {
  const run = await waiting({ approvals: 2 });
  await run.decide("review", run.editor);
  await run.decide("review", run.owner);
  assertEquals((await run.events()).slice(-2), [
    { type: "task.decided", task: "review", data: { decision: "approved", user_id: run.editor.id } },
    {
      type: "task.completed",
      task: "review",
      data: { decision: "approved", user_id: run.owner.id, pending: ["ship"], skipped: ["rewrite"] },
    },
  ]);
});

Deno.test("a decision outlives the account of whoever made it", async () => {
  const run = await waiting();
  await run.decide("review", run.editor);
  await db.sql`delete from auth.users where id = ${run.editor.id}`;
  const [row] = await db.sql`select user_id, decision from public.task_decisions where project_id = ${run.project.id}`;
  assertEquals([row?.user_id, row?.decision], [null, "approved"]);
});

Deno.test("a person who joined after the task began to wait may decide", async () => {
  const run = await waiting();
  const late = await createUser(db);
  await db.sql`
    insert into public.project_collaborators (project_id, user_id, role) values (${run.project.id}, ${late.id}, 'editor')`;
  assertEquals((await run.decide("review", late)).task.status, "completed");
});

Deno.test("the same decision sent again is answered with what it set going", async () => {
  const run = await waiting();
  const decide = () => run.decide("review", run.editor, "rejected");
  const first = await decide();
  assertEquals(first.unlocked.map((one: { node_id: string }) => one.node_id), ["rewrite"]);
  assertEquals(await decide(), first);
});

Deno.test("of two approvals only the one that completed the task is answered with what was set going, each time", async () => {
  const run = await waiting({ approvals: 2 });
  const decide = async (person: typeof run.owner) =>
    (await run.decide("review", person)).unlocked.map((one: { node_id: string }) => one.node_id);
  const first = [await decide(run.owner), await decide(run.editor)];
  assertEquals(first, [[], ["ship"]]);
  assertEquals([await decide(run.owner), await decide(run.editor)], first);
});
