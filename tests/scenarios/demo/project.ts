// How the owner sets the work up: a project, a chat in it, an imported workflow, a start.
import { startWorkflow } from "../../../shared/contract/start-workflow.ts";
import type { Brief } from "./agents/agent.ts";
import { call, take } from "./calls.ts";
import type { Fixture } from "./fixture.ts";
import type { Person } from "./people.ts";

/** What the agents are asked for, but for the chat they report to. */
const BRIEF: Omit<Brief, "session_id"> = {
  goal: "A guest book where visitors leave a greeting",
  entity: "greeting",
  fields: [
    { name: "author", label: "Your name", max_length: 60 },
    { name: "message", label: "Your greeting", max_length: 500 },
  ],
};

export async function createProject(owner: Person): Promise<{ id: string; name: string }> {
  const row = { name: "Guest book", description: BRIEF.goal, owner_id: owner.id };
  return take("create a project", await owner.client.from("projects").insert(row).select("id, name").single());
}

/** Opens a chat that the whole project can read, and writes the first message. */
export async function openChat(owner: Person, projectId: string): Promise<string> {
  const session = take(
    "open a chat session",
    await owner.client.from("chat_sessions")
      .insert({ project_id: projectId, title: BRIEF.goal, is_shared: true }).select("id").single(),
  );
  take(
    "write in the chat",
    await owner.client.from("chat_messages")
      .insert({ session_id: session.id, role: "user", content: `Please build this: ${BRIEF.goal}.` })
      .select("id").single(),
  );
  return session.id;
}

export async function importWorkflow(owner: Person, projectId: string, fixture: Fixture): Promise<string> {
  const row = { project_id: projectId, name: "Build the guest book", definition: fixture.definition };
  const workflow = take("import the workflow", await owner.client.from("workflows").insert(row).select("id").single());
  return workflow.id;
}

export interface Started {
  executionId: string;
  tasks: number;
}

/** Starts the workflow twice with one key, as a client on a bad line would: it must run once. */
export async function startTwice(owner: Person, workflowId: string, sessionId: string): Promise<Started> {
  const key = { "Idempotency-Key": crypto.randomUUID() };
  const body = { workflow_id: workflowId, input: { ...BRIEF, session_id: sessionId } };
  const first = await call(owner.client, "start-workflow", startWorkflow, body, key);
  const second = await call(owner.client, "start-workflow", startWorkflow, body, key);
  if (second.execution.id !== first.execution.id) {
    throw new Error(`One key started two executions: ${first.execution.id} and ${second.execution.id}.`);
  }
  return { executionId: first.execution.id, tasks: first.tasks.length };
}
