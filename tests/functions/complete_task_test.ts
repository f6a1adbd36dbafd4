// POST /complete-task over HTTP: a report and everything it brings, in one commit.
import { assertEquals } from "@std/assert";
import { completeTask } from "../../shared/contract/complete-task.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimExpired, claimTask, type Project } from "./project.ts";

const team = testAccess({
  path: "complete-task",
  operation: completeTask,
  body: async (project) => {
    const { id, lease_token } = await claimTask(project);
    return { task_id: id, lease_token, status: "completed" };
  },
  stranger: "task_not_found",
  editor: "allowed",
});

const fresh = async () => await anotherProject(await team());
const report = (task: Body, fields: Record<string, unknown> = {}) =>
  call("worker", "complete-task", { task_id: task.id, lease_token: task.lease_token, status: "completed", ...fields });

async function openSession(project: Project): Promise<string> {
  const { data, error } = await project.owner.client.from("chat_sessions")
    .insert({ project_id: project.id, user_id: project.owner.id, title: "A session" }).select("id").single();
  if (error) throw new Error(`Cannot open a session: ${error.message}`);
  return data.id;
}

/** How many rows the project has of what a report may bring. */
async function resultsOf({ id, owner }: Project) {
  const [artifacts, sessions] = await Promise.all([
    owner.client.from("code_artifacts").select("file_path, task_id").eq("project_id", id),
    owner.client.from("chat_sessions").select("id, chat_messages(role, content)").eq("project_id", id),
  ]);
  return { artifacts: artifacts.data ?? [], messages: (sessions.data ?? []).flatMap((row) => row.chat_messages) };
}

Deno.test("complete_task: a completed task unlocks what waited for it", async () => {
  const project = await fresh();
  const task = await claimTask(project, graph([["a", "b"], ["a", "c"]]));
  const reply = await report(task, { output_data: { plan: ["x", 1, null] }, execution_time_ms: 12 });
  const { task: done, execution, unlocked } = assertAnswer(reply, completeTask, 200);
  assertEquals([done.id, done.status, done.execution_time_ms], [task.id, "completed", 12]);
  assertEquals(execution.status, "running");
  assertEquals(unlocked.map(({ node_id, status }: Body) => [node_id, status]), [["b", "pending"], ["c", "pending"]]);
});

Deno.test("complete_task: the last report completes the execution", async () => {
  const task = await claimTask(await fresh(), { nodes: [{ id: "only", agent_type: "architect" }], edges: [] });
  const { execution, unlocked } = assertAnswer(await report(task), completeTask, 200);
  assertEquals([execution.status, execution.completed_at !== null, unlocked], ["completed", true, []]);
});

Deno.test("complete_task: a failed attempt with attempts left goes back to pending", async () => {
  const task = await claimTask(await fresh());
  const reply = await report(task, { status: "failed", error_message: "no luck" });
  const { task: failed, execution } = assertAnswer(reply, completeTask, 200);
  assertEquals([failed.status, failed.error_message, execution.status], ["pending", "no luck", "running"]);
});

Deno.test("complete_task: the last failed attempt fails the execution, with the reason", async () => {
  const definition = { nodes: [{ id: "only", agent_type: "architect", retry: { max_attempts: 1 } }], edges: [] };
  const task = await claimTask(await fresh(), definition);
  const reply = await report(task, { status: "failed", error_message: "out of ideas" });
  const { task: failed, execution } = assertAnswer(reply, completeTask, 200);
  assertEquals([failed.status, execution.status], ["failed", "failed"]);
  assertEquals(execution.error_message.includes("out of ideas"), true);
});

Deno.test("complete_task: artifacts and messages come with the report", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  const artifacts = [{ file_path: "src/b.ts", content: "b", language: "ts" }, { file_path: "src/a.ts", content: "a" }];
  const messages = [{ session_id: await openSession(project), content: "I made two files." }];
  assertAnswer(await report(task, { artifacts, messages }), completeTask, 200);
  const results = await resultsOf(project);
  assertEquals(results.artifacts.map(({ file_path, task_id }) => [file_path, task_id]).sort(), [
    ["src/a.ts", task.id],
    ["src/b.ts", task.id],
  ]);
  assertEquals(results.messages, [{ role: "assistant", content: "I made two files." }]);
});

Deno.test("complete_task: the same report again gets the same answer and brings nothing twice", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  const session_id = await openSession(project);
  const fields = {
    output_data: { n: 1 },
    artifacts: [{ file_path: "a", content: "a" }],
    messages: [{ session_id, content: "Hello." }],
  };
  const first = assertAnswer(await report(task, fields), completeTask, 200);
  const again = assertAnswer(await report(task, fields), completeTask, 200);
  assertEquals(again, first);
  const { artifacts, messages } = await resultsOf(project);
  assertEquals([artifacts.length, messages.length], [1, 1]);
});

Deno.test("complete_task: of ten equal reports at once one counts and all are answered", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  const replies = await Promise.all(Array.from({ length: 10 }, () => report(task, { output_data: { n: 1 } })));
  assertEquals(replies.map(({ status }) => status), Array(10).fill(200));
  const { count } = await project.owner.client.from("execution_events").select("*", { count: "exact", head: true })
    .eq("task_id", task.id).eq("type", "task.completed");
  assertEquals(count, 1);
});

Deno.test("complete_task: another report for the same attempt is task_already_reported", async () => {
  const task = await claimTask(await fresh());
  await report(task, { output_data: { n: 1 } });
  const reply = await report(task, { output_data: { n: 2 } });
  assertRefused(reply, "task_already_reported");
  assertEquals(reply.body.error.details.status, "completed");
});

Deno.test("complete_task: another token than the lease's is task_lease_lost, and nothing is kept", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  const artifacts = [{ file_path: "a", content: "a" }];
  assertRefused(await report({ ...task, lease_token: crypto.randomUUID() }, { artifacts }), "task_lease_lost");
  assertEquals((await resultsOf(project)).artifacts, []);
});

Deno.test("complete_task: a late report of who lost the task is task_lease_lost", async () => {
  const project = await fresh();
  const task = await claimTask(project, undefined, 1);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const again = await claimExpired(task.execution_id);
  assertRefused(await report(task), "task_lease_lost");
  assertEquals((await report(again)).status, 200);
});

Deno.test("complete_task: an artifact whose base has moved is artifact_conflict, and the task stays open", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  const save = { project_id: project.id, file_path: "a.txt", content: "one" };
  await call(project.owner, "save-artifact", save);
  const artifacts = [{ file_path: "new.txt", content: "new" }, {
    file_path: "a.txt",
    content: "mine",
    base_version: 0,
  }];
  const reply = await report(task, { artifacts });
  assertRefused(reply, "artifact_conflict");
  assertEquals([reply.body.error.details.file_path, reply.body.error.details.head_version], ["a.txt", 1]);
  assertEquals((await resultsOf(project)).artifacts.map(({ file_path }) => file_path), ["a.txt"]);
  assertEquals((await report(task)).status, 200);
});

Deno.test("complete_task: a message to a session of another project is session_not_found", async () => {
  const [project, other] = [await fresh(), await fresh()];
  const task = await claimTask(project);
  for (const session_id of [await openSession(other), crypto.randomUUID()]) {
    assertRefused(await report(task, { messages: [{ session_id, content: "Hello." }] }), "session_not_found");
  }
});

Deno.test("complete_task: an artifact path that leads out of the project is refused, and nothing is kept", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  const artifacts = [{ file_path: "fine", content: "fine" }, { file_path: "../out", content: "out" }];
  assertRefused(await report(task, { artifacts }), "validation_failed");
  assertEquals((await resultsOf(project)).artifacts, []);
});

Deno.test("complete_task: an output over 1 MiB is payload_too_large", async () => {
  const task = await claimTask(await fresh());
  assertRefused(await report(task, { output_data: { text: "x".repeat(1_048_576) } }), "payload_too_large");
});

Deno.test("complete_task: an unknown task is task_not_found, for a worker too", async () => {
  const { owner } = await team();
  const body = { task_id: crypto.randomUUID(), lease_token: crypto.randomUUID(), status: "completed" };
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, "complete-task", body), "task_not_found");
  }
});

Deno.test("complete_task: wrong fields are named one by one, inside lists too", async () => {
  const reply = await call("worker", "complete-task", {
    task_id: crypto.randomUUID(),
    status: "done",
    execution_time_ms: -1,
    artifacts: [{ file_path: "a", content: "a" }, { file_path: "" }],
    messages: [{ session_id: "x", content: "" }],
  });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), [
    "lease_token",
    "status",
    "execution_time_ms",
    "artifacts.1.file_path",
    "artifacts.1.content",
    "messages.0.session_id",
    "messages.0.content",
  ]);
});
