// Files of a project to test with, straight in the database.
import type { Answer, TestDatabase } from "./database.ts";
import { claimNode, graph, type Project, report, startExecution } from "./factories.ts";

/** Saves a file as the editor, unless another member is named, and gives back the version. */
export async function save(
  db: TestDatabase,
  project: Project,
  file_path: string,
  content: string,
  { by = project.editor.actor, ...fields }: { by?: { user: string } | "worker" } & Record<string, unknown> = {},
): Promise<Answer> {
  return (await db.rpc(by, "save_artifact", { project_id: project.id, file_path, content, ...fields })).artifact;
}

/** Deletes a file as the editor and gives back the version that says so. */
export async function remove(db: TestDatabase, project: Project, file_path: string): Promise<Answer> {
  return (await db.rpc(project.editor.actor, "delete_artifact", { project_id: project.id, file_path })).artifact;
}

/** Runs an execution of one task that brings these artifacts along; gives back the ids of both. */
export async function runTask(db: TestDatabase, project: Project, artifacts: Record<string, unknown>[]) {
  const { execution } = await startExecution(db, project, graph([["a", "__end__"]]));
  const task = await claimNode(db, execution.id, "a");
  await db.rpc("worker", "complete_task", report(task, { artifacts }));
  return { execution: execution.id as string, task: task.id };
}

/** The files of a project as they stand, with their text. */
export async function files(db: TestDatabase, project: { id: string }): Promise<Record<string, string>> {
  const rows = await db.sql`
    select a.file_path, public.content(a) as content from public.code_artifacts as a
    where a.project_id = ${project.id} and a.is_active order by a.file_path`;
  return Object.fromEntries(rows.map((row) => [row.file_path, row.content]));
}

/** How many texts a project stores. */
export async function contentCount(db: TestDatabase, project: { id: string }): Promise<number> {
  const [row] = await db.sql`
    select count(*)::int as n from private.artifact_contents where project_id = ${project.id}`;
  return row?.n;
}
