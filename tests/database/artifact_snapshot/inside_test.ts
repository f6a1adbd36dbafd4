// artifact_snapshot as of an execution: what ran inside it is part of it.
import { assertEquals } from "@std/assert";
import { save } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createProject,
  createWorkflow,
  graph,
  type Project,
  report,
  startExecution,
} from "../../support/factories.ts";
import { completeNode, startNested } from "../../support/nested.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();
const pathsOf = async (project: Project, execution_id: string): Promise<string[]> => {
  const { files } = await db.rpc(project.viewer.actor, "artifact_snapshot", { project_id: project.id, execution_id });
  return files.map((file: { file_path: string }) => file.file_path);
};

Deno.test("as of an execution it holds what ran inside wrote, at any depth", async () => {
  const project = await createProject(db);
  const [outer = "", middle = "", inner = ""] = await startNested(db, project, 2);
  await completeNode(db, inner, "work", [{ file_path: "deep", content: "by the innermost" }]);
  await completeNode(db, middle, "after", [{ file_path: "middle", content: "by the one between" }]);
  await completeNode(db, outer, "after", [{ file_path: "last", content: "by the outermost" }]);
  await save(db, project, "later", "by hand");
  assertEquals(await pathsOf(project, outer), ["deep", "last", "middle"]);
});

Deno.test("it holds what ran inside wrote with the commit that ended both", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["work", "__end__"]]));
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
  const outer = graph([["inside", "__end__"]], { inside: { type: "workflow", workflow_id } });
  const { execution } = await startExecution(db, project, outer);
  const [inner] = await db.sql`
    select x.id from public.workflow_executions as x join public.agent_tasks as t on t.id = x.parent_task_id
    where t.workflow_execution_id = ${execution.id}`;
  const task = await claimNode(db, inner?.id, "work");
  await using worker = await openTransaction(db, "worker");
  // An execution ends when the transaction began that ended it, its files come later.
  await worker.sql`select pg_sleep(0.01)`;
  await worker.rpc("complete_task", report(task, { artifacts: [{ file_path: "made", content: "inside" }] }));
  await worker.commit();
  await save(db, project, "later", "by hand");
  assertEquals(await pathsOf(project, execution.id), ["made"]);
});

Deno.test("as of an execution inside another it is when that one ended, and not the other", async () => {
  const project = await createProject(db);
  const [outer = "", inner = ""] = await startNested(db, project, 1);
  await completeNode(db, inner, "work", [{ file_path: "made", content: "inside" }]);
  await new Promise((resolve) => setTimeout(resolve, 2));
  await completeNode(db, outer, "after", [{ file_path: "last", content: "outside" }]);
  assertEquals(await pathsOf(project, inner), ["made"]);
});
