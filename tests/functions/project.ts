// A project with one person per role, over HTTP: what every test of an operation needs first.
import { addMember, createProject, type Person, signUp } from "../support/actors.ts";
import { eventually } from "../support/eventually.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, type Body, call } from "../support/http.ts";
import { claimTasks } from "../../shared/contract/complete-task.ts";
import { startWorkflow } from "../../shared/contract/start-workflow.ts";

export interface Project {
  id: string;
  owner: Person;
  editor: Person;
  viewer: Person;
  /** Signed in, and in none of the project. */
  stranger: Person;
}

/** Signs four people up and puts three of them into a project. */
export async function createTeam(): Promise<Project> {
  const [owner, editor, viewer, stranger] = await Promise.all([
    signUp("owner"),
    signUp("editor"),
    signUp("viewer"),
    signUp("stranger"),
  ]);
  return await anotherProject({ id: "", owner, editor, viewer, stranger });
}

/** Another project of the same people. */
export async function anotherProject(team: Project): Promise<Project> {
  const id = await createProject(team.owner);
  await Promise.all([
    addMember(team.owner, id, team.editor, "editor"),
    addMember(team.owner, id, team.viewer, "viewer"),
  ]);
  return { ...team, id };
}

/** Sets a project aside, as its owner does. */
export async function setStatus(project: Project, status: "active" | "archived" | "deleted"): Promise<void> {
  const { error } = await project.owner.client.from("projects").update({ status }).eq("id", project.id);
  if (error) throw new Error(`Cannot set the project ${status}: ${error.message}`);
}

/** A workflow of the project: two tasks in a row where nothing else is said. */
export async function createWorkflow(
  project: Project,
  definition: unknown = graph([["first", "second"]]),
): Promise<string> {
  const { data, error } = await project.owner.client.from("workflows").insert({
    project_id: project.id,
    name: "A workflow",
    definition: definition as never,
  }).select("id").single();
  if (error) throw new Error(`Cannot create a workflow: ${error.message}`);
  return data.id;
}

/** A started execution of such a workflow. */
export async function startExecution(project: Project, definition?: unknown): Promise<Body> {
  const reply = await call(project.owner, "start-workflow", { workflow_id: await createWorkflow(project, definition) });
  return assertAnswer(reply, startWorkflow, 201);
}

/** What tests ask of a task by name. */
export async function taskOf(project: Project, execution_id: string, node_id: string): Promise<Body> {
  const { data, error } = await project.owner.client.from("agent_tasks").select("*")
    .eq("workflow_execution_id", execution_id).eq("node_id", node_id).is("map_index", null)
    .order("iteration", { ascending: false }).limit(1).single();
  if (error) throw new Error(`There is no task ${node_id}: ${error.message}`);
  return data;
}

/** Reports a leased task as completed, or as failed. */
export const reportTask = (task: Body, fields: Record<string, unknown> = {}) =>
  call("worker", "complete-task", { task_id: task.id, lease_token: task.lease_token, status: "completed", ...fields });

/** An execution whose one task has failed for good. */
export async function failedExecution(project: Project): Promise<string> {
  const definition = { nodes: [{ id: "only", agent_type: "architect", retry: { max_attempts: 1 } }], edges: [] };
  const task = await claimTask(project, definition);
  await reportTask(task, { status: "failed", error_message: "out of ideas" });
  return task.execution_id;
}

/** A task under a lease of its own: what heartbeat and completion speak about. */
export async function claimTask(project: Project, definition?: unknown, leaseSeconds?: number): Promise<Body> {
  const { execution } = await startExecution(project, definition);
  const reply = await call("worker", "complete-task/claim", {
    worker_id: "worker-1",
    agent_types: ["architect"],
    execution_id: execution.id,
    lease_seconds: leaseSeconds,
  });
  return assertAnswer(reply, claimTasks, 200).tasks[0];
}

/**
 * The task of an execution whose lease has run out, for another worker. Tests share a stack: somebody else's claim may be
 * taking it back at the moment of this one, which then comes again.
 */
export async function claimExpired(executionId: string): Promise<Body> {
  const body = { worker_id: "worker-2", agent_types: ["architect"], execution_id: executionId };
  const reply = await eventually(
    () => call("worker", "complete-task/claim", body),
    (reply) => assertAnswer(reply, claimTasks, 200).tasks.length > 0,
  );
  return reply.body.tasks[0];
}
