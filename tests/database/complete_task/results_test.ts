// complete_task: artifacts and messages of a task are in the same commit as its completion, or nothing is.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createChatSession,
  createProject,
  graph,
  type Project,
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

const artifactsOf = (project: Project) =>
  db.sql`select a.file_path, a.version, a.task_id, public.content(a) as content from public.code_artifacts as a
    where project_id = ${project.id} order by file_path, version`;

Deno.test("artifacts of a completion are saved and know their task", async () => {
  const { project, task } = await claimedTask();
  const artifacts = [{ file_path: "src/b.ts", content: "b" }, { file_path: "src/a.ts", content: "a" }];
  await db.rpc("worker", "complete_task", report(task, { artifacts }));
  assertEquals([...await artifactsOf(project)].map((row) => ({ ...row })), [
    { file_path: "src/a.ts", version: 1, task_id: task.id, content: "a" },
    { file_path: "src/b.ts", version: 1, task_id: task.id, content: "b" },
  ]);
});

Deno.test("an artifact conflict rolls the whole completion back and leaves the task running", async () => {
  const { project, execution, task } = await claimedTask();
  await db.rpc(project.editor.actor, "save_artifact", { project_id: project.id, file_path: "b.ts", content: "theirs" });
  const artifacts = [{ file_path: "a.ts", content: "a" }, { file_path: "b.ts", content: "mine", base_version: 0 }];
  const refusal = await db.refusal("worker", "complete_task", report(task, { artifacts, output_data: { n: 1 } }));
  assertEquals([refusal.code, refusal.details.file_path, refusal.details.head_version], [
    "artifact_conflict",
    "b.ts",
    1,
  ]);
  assertEquals((await artifactsOf(project)).map((row) => row.content), ["theirs"]);
  assertEquals(await statuses(db, execution.id), { a: "running", b: "blocked" });
  // The lease still stands: the same worker reports again, with what it learned.
  const again = await db.rpc(
    "worker",
    "complete_task",
    report(task, { artifacts: [{ ...artifacts[1], base_version: 1 }] }),
  );
  assertEquals(again.task.status, "completed");
});

const rule = "must have 1 to 255 characters";
const WRONG_ARTIFACTS: [string, Record<string, unknown>, string, unknown][] = [
  ["a wrong field", { file_path: "b", content: "", name: " " }, "validation_failed", {
    fields: [{ path: "artifacts.1.name", message: rule }],
  }],
  ["too much text", { file_path: "b", content: "x".repeat(1_048_577) }, "payload_too_large", { file_path: "b" }],
  ["a deletion of what is not there", { file_path: "b", deleted: true }, "artifact_not_found", { file_path: "b" }],
];
for (const [claim, artifact, code, details] of WRONG_ARTIFACTS) {
  Deno.test(`a report that is refused for ${claim} in one of its artifacts says in which`, async () => {
    const { project, task } = await claimedTask();
    const artifacts = [{ file_path: "a", content: "a" }, artifact];
    const refusal = await db.refusal("worker", "complete_task", report(task, { artifacts }));
    assertEquals([refusal.code, refusal.details], [code, details]);
    assertEquals((await artifactsOf(project)).length, 0);
  });
}

Deno.test("a message that goes nowhere rolls the artifacts back too", async () => {
  const { project, execution, task } = await claimedTask();
  const fields = {
    artifacts: [{ file_path: "a.ts", content: "a" }],
    messages: [{ session_id: crypto.randomUUID(), content: "hello" }],
  };
  assertEquals((await db.refusal("worker", "complete_task", report(task, fields))).code, "session_not_found");
  assertEquals((await artifactsOf(project)).length, 0);
  assertEquals((await statuses(db, execution.id)).a, "running");
});

Deno.test("a worker's messages are the assistant's unless it says otherwise, and know their task", async () => {
  const { project, task } = await claimedTask();
  const session_id = await createChatSession(db, project.id, project.viewer);
  const messages = [{ session_id, content: "done" }, { session_id, role: "system", content: "noted" }];
  await db.rpc("worker", "complete_task", report(task, { messages }));
  const rows = await db.sql`
    select role, content, task_id, user_id from public.chat_messages where session_id = ${session_id} order by content`;
  assertEquals([...rows].map((row) => ({ ...row })), [
    { role: "assistant", content: "done", task_id: task.id, user_id: null },
    { role: "system", content: "noted", task_id: task.id, user_id: null },
  ]);
});

Deno.test("messages cannot reach the sessions of another project", async () => {
  const { task } = await claimedTask();
  const other = await createProject(db);
  const session_id = await createChatSession(db, other.id, other.owner);
  const messages = [{ session_id, content: "hello" }];
  assertEquals((await db.refusal("worker", "complete_task", report(task, { messages }))).code, "session_not_found");
});

Deno.test("an editor who completes a task cannot write into someone else's private session", async () => {
  const { project, execution, task } = await claimedTask();
  const session_id = await createChatSession(db, project.id, project.owner);
  const request = report(task, { messages: [{ session_id, content: "I am the assistant" }] });
  const refusal = await db.refusal(project.editor.actor, "complete_task", request);
  assertEquals(refusal.code, "session_not_found");
  assertEquals((await statuses(db, execution.id)).a, "running");
});

Deno.test("an editor who completes a task cannot write as the system", async () => {
  const { project, task } = await claimedTask();
  const session_id = await createChatSession(db, project.id, project.editor);
  const request = report(task, { messages: [{ session_id, role: "system", content: "I am the system" }] });
  assertEquals((await db.refusal(project.editor.actor, "complete_task", request)).code, "forbidden");
});

const uuid = crypto.randomUUID();
const malformed: [string, Record<string, unknown>][] = [
  ["artifacts that are no list", { artifacts: { file_path: "a", content: "a" } }],
  ["an artifact that is no object", { artifacts: ["a"] }],
  ["an artifact without content", { artifacts: [{ file_path: "a" }] }],
  ["an artifact outside the project", { artifacts: [{ file_path: "../a", content: "a" }] }],
  ["an artifact with a base_version that is no number", {
    artifacts: [{ file_path: "a", content: "a", base_version: "x" }],
  }],
  ["an artifact of an unknown type", { artifacts: [{ file_path: "a", content: "a", type: "x" }] }],
  ["more artifacts than 100", {
    artifacts: Array.from({ length: 10_000 }, (_, index) => ({ file_path: `f${index}`, content: "" })),
  }],
  ["more messages than 100", { messages: Array.from({ length: 101 }, () => ({ session_id: uuid, content: "a" })) }],
  ["messages that are no list", { messages: "hello" }],
  ["a message with a session_id that is no id", { messages: [{ session_id: "x", content: "a" }] }],
  ["a message without content", { messages: [{ session_id: uuid }] }],
  ["a message in an unknown role", { messages: [{ session_id: uuid, content: "a", role: "wizard" }] }],
];
for (const [what, fields] of malformed) {
  Deno.test(`${what}: the report is refused as validation_failed`, async () => {
    const { project, task } = await claimedTask();
    const session_id = await createChatSession(db, project.id, project.owner);
    const text = JSON.stringify(fields).replaceAll(uuid, session_id);
    const refusal = await db.refusal("worker", "complete_task", report(task, JSON.parse(text)));
    assertEquals([refusal.code, refusal.sqlstate], ["validation_failed", "PT422"], refusal.message);
  });
}
