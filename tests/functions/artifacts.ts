// Files of a project over HTTP: saving, running a task that brings some along, and asking by GET.
import { completeTask } from "../../shared/contract/complete-task.ts";
import { saveArtifact } from "../../shared/contract/save-artifact.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, type Body, call, type Reply, type Sender } from "../support/http.ts";
import { claimTask, type Project } from "./project.ts";

/** Saves a file as the editor and gives back the version. */
export async function save(
  project: Project,
  file_path: string,
  content: string,
  fields: Record<string, unknown> = {},
): Promise<Body> {
  const reply = await call(project.editor, "save-artifact", { project_id: project.id, file_path, content, ...fields });
  return assertAnswer(reply, saveArtifact, 201).artifact;
}

/** `get(viewer, "save-artifact/history", { project_id, file_path })`; what is undefined is left out. */
export function get(sender: Sender, path: string, query: Record<string, unknown> = {}, headers = {}): Promise<Reply> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return call(sender, `${path}?${text}`, undefined, { method: "GET", headers });
}

/** Runs an execution of one task that brings these artifacts along, and gives back the execution. */
export async function runTask(project: Project, artifacts: Body[]): Promise<Body> {
  const task = await claimTask(project, graph([["a", "__end__"]]));
  const reply = await call("worker", "complete-task", {
    task_id: task.id,
    lease_token: task.lease_token,
    status: "completed",
    artifacts,
  });
  return assertAnswer(reply, completeTask, 200).execution;
}

/** The files of a project as they stand, as its viewer reads them through the Data API. */
export async function filesOf({ id, viewer }: Project): Promise<Record<string, string | null>> {
  const { data, error } = await viewer.client.from("code_artifacts").select("file_path, content")
    .eq("project_id", id).eq("is_active", true).order("file_path");
  if (error) throw new Error(error.message);
  return Object.fromEntries(data.map(({ file_path, content }) => [file_path, content]));
}
