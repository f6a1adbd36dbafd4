// What came of it, read back by a member with no other right than to read.
import { type Client, take } from "./calls.ts";
import { readTasks } from "./watch.ts";

export interface Outcome {
  execution: string;
  tasks: number;
  artifacts: number;
  files: number;
  collaborators: number;
}

/** Counts what the reader sees of the project and its execution. Throws a sentence where something is missing. */
export async function readBack(
  client: Client,
  projectId: string,
  executionId: string,
  expected: Pick<Outcome, "tasks" | "files" | "collaborators">,
): Promise<Outcome> {
  const execution = take(
    "read the execution back",
    await client.from("workflow_executions").select("status").eq("id", executionId).single(),
  );
  const tasks = await readTasks(client, executionId);
  const artifacts = take(
    "read the artifacts back",
    await client.from("code_artifacts").select("file_path, version, is_active, content").eq("project_id", projectId),
  );
  const files = take("read the files back", await client.from("file_storage").select("id").eq("project_id", projectId));
  const collaborators = take(
    "read the collaborators back",
    await client.from("project_collaborators").select("user_id").eq("project_id", projectId),
  );
  const messages = take(
    "read the chat back",
    await client.from("chat_messages").select("role, chat_sessions!inner(project_id)")
      .eq("chat_sessions.project_id", projectId),
  );

  if (execution.status !== "completed") throw new Error(`The execution reads back as ${execution.status}.`);
  const open = tasks.filter(({ status }) => status !== "completed");
  if (open.length > 0) throw new Error(`${open.map(({ node }) => node).join(", ")} did not complete.`);
  const heads = new Set(artifacts.filter(({ is_active }) => is_active).map(({ file_path }) => file_path));
  const lost = tasks.flatMap((task) => task.files).filter((path) => !heads.has(path));
  if (lost.length > 0) throw new Error(`Reported but not saved: ${lost.join(", ")}.`);
  for (const role of ["user", "assistant"]) {
    if (!messages.some((message) => message.role === role)) throw new Error(`The chat has no message of role ${role}.`);
  }
  const outcome: Outcome = {
    execution: execution.status,
    tasks: tasks.length,
    artifacts: artifacts.length,
    files: files.length,
    collaborators: collaborators.length,
  };
  for (const what of ["tasks", "files", "collaborators"] as const) {
    if (outcome[what] !== expected[what]) throw new Error(`Expected ${expected[what]} ${what}: got ${outcome[what]}.`);
  }
  return outcome;
}
