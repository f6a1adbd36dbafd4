// access: what waits for a project that is being archived writes nothing into it any more.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createFile,
  createProject,
  createWorkflow,
  graph,
  report,
  startExecution,
  storeObject,
} from "../../support/factories.ts";
import { type OpenTransaction, openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();
const definition = graph([["a", "b"]]);

async function createTarget() {
  const project = await createProject(db);
  await db.sql`update public.project_collaborators set role = 'owner' where user_id = ${project.editor.id}`;
  const workflow_id = await createWorkflow(db, project, definition);
  const { execution } = await startExecution(db, project, definition);
  const task = await claimNode(db, execution.id, "a");
  return { project, workflow_id, execution_id: execution.id as string, task };
}
type Target = Awaited<ReturnType<typeof createTarget>>;

/** What the co-owner, or a worker, is answered who acts while the project is being archived. */
async function whileArchived(act: (own: OpenTransaction, target: Target) => Promise<unknown>, isWorker = false) {
  const target = await createTarget();
  const { owner, editor, id } = target.project;
  await using archiving = await openTransaction(db, owner.actor);
  await archiving.sql`update public.projects set status = 'archived' where id = ${id}`;
  await using own = await openTransaction(db, isWorker ? "worker" : editor.actor);
  const waiting = act(own, target).then(() => "done", (error) => error.hint);
  await waitUntilBlocked(db, own);
  await archiving.commit();
  return await waiting;
}

const artifacts = [{ file_path: "a.md", content: "late" }];
const ACTS: Record<string, (own: OpenTransaction, target: Target) => Promise<unknown>> = {
  "starts a workflow": (own, { workflow_id }) => own.rpc("start_workflow", { workflow_id }),
  "forks an execution": (own, { execution_id }) => own.rpc("fork_execution", { execution_id, from_node: "a" }),
  "publishes a workflow": (own, { workflow_id }) => own.rpc("publish_workflow", { workflow_id }),
  "saves an artifact": (own, { project: { id } }) =>
    own.rpc("save_artifact", { project_id: id, file_path: "a.md", content: "late" }),
  "begins an upload": (own, { project: { id } }) =>
    own.rpc("register_upload", { project_id: id, file_name: "a", mime_type: "text/plain" }),
  "completes a task": (own, { task }) => own.rpc("complete_task", report(task, { artifacts })),
  "gives somebody another role": (own, { project: { id, viewer } }) =>
    own
      .sql`update public.project_collaborators set role = 'editor' where project_id = ${id} and user_id = ${viewer.id}`,
  "adds a workflow": (own, { project: { id } }) =>
    own.sql`insert into public.workflows (project_id, name, definition) values (${id}, 'late', '{}')`,
  "adds an agent": (own, { project: { id } }) =>
    own.sql`insert into public.agents (project_id, name, type) values (${id}, 'late', 'tester')`,
  "adds a type of agents": (own, { project: { id } }) =>
    own.sql`insert into public.agent_types (project_id, name) values (${id}, 'late')`,
  "opens a chat session": (own, { project: { id } }) =>
    own.sql`insert into public.chat_sessions (project_id) values (${id})`,
};
for (const [what, act] of Object.entries(ACTS)) {
  Deno.test(`in a project that is being archived nobody ${what}`, async () => {
    assertEquals(await whileArchived(act), "project_not_active");
  });
}

Deno.test("a worker's report puts no artifacts into a project that is being archived", async () => {
  const complete = (own: OpenTransaction, { task }: Target) => own.rpc("complete_task", report(task, { artifacts }));
  assertEquals(await whileArchived(complete, true), "project_not_active");
});

Deno.test("a worker's report without artifacts does not wait for a project that is being archived", async () => {
  const target = await createTarget();
  await using archiving = await openTransaction(db, target.project.owner.actor);
  await archiving.sql`update public.projects set status = 'archived' where id = ${target.project.id}`;
  const { task } = await db.rpc("worker", "complete_task", report(target.task));
  assertEquals(task.status, "completed");
});

Deno.test("who stands in line behind somebody else's save keeps nobody from archiving the project", async () => {
  const { project: { id, owner, editor } } = await createTarget();
  await using holder = await openTransaction(db, "superuser");
  await holder.sql`select private.lock_artifacts(array[${id}::uuid])`;
  await using saver = await openTransaction(db, editor.actor);
  const save = { project_id: id, file_path: "a.md", content: "late" };
  const waiting = saver.rpc("save_artifact", save).then(() => "done", (error) => error.hint);
  await waitUntilBlocked(db, saver);
  await using archiving = await openTransaction(db, owner.actor);
  await archiving.sql`set local lock_timeout = '2s'`;
  await archiving.sql`update public.projects set status = 'archived' where id = ${id}`;
  await archiving.commit();
  await holder.commit();
  assertEquals(await waiting, "project_not_active");
});

const FILES: Record<string, (own: OpenTransaction, target: Target) => Promise<unknown>> = {
  "an object that is being put into the bucket": async (own, { project: { id, editor } }) =>
    await own.sql`
      insert into storage.objects (bucket_id, name, owner_id)
      values ('genesis-files', ${`${id}/a.png`}, ${editor.id})`,
  "an object that is being deleted": async (own, { project }) => {
    const { file_path } = await createFile(db, project);
    await own.sql`select set_config('storage.allow_delete_query', 'true', true)`;
    await own.sql`delete from storage.objects where bucket_id = 'genesis-files' and name = ${file_path}`;
  },
};
for (const [what, write] of Object.entries(FILES)) {
  Deno.test(`archiving a project waits for ${what}`, async () => {
    const target = await createTarget();
    const { id, owner, editor } = target.project;
    await using own = await openTransaction(db, editor.actor);
    await write(own, target);
    await using archiving = await openTransaction(db, owner.actor);
    const waiting = archiving.sql`update public.projects set status = 'archived' where id = ${id}`.execute();
    await waitUntilBlocked(db, archiving);
    await own.commit();
    await waiting;
  });
}

Deno.test("archiving a project waits for an upload that is being finished", async () => {
  const { project } = await createTarget();
  const { id, owner, editor } = project;
  const request = { project_id: id, file_name: "a", mime_type: "text/plain" };
  const { file } = await db.rpc(editor.actor, "register_upload", request);
  await storeObject(db, file.file_path, 5, editor);
  await using service = await openTransaction(db, "worker");
  await service.rpc("finish_upload", { file_id: file.id, file_size: 5, sha256: "0".repeat(64) });
  await using archiving = await openTransaction(db, owner.actor);
  const waiting = archiving.sql`update public.projects set status = 'archived' where id = ${id}`.execute();
  await waitUntilBlocked(db, archiving);
  await service.commit();
  await waiting;
});

Deno.test("an object is not deleted that was waited for while the project was archived", async () => {
  const { project } = await createTarget();
  const { file_path } = await createFile(db, project);
  await using holder = await openTransaction(db, "superuser");
  await holder.sql`select from storage.objects where name = ${file_path} for update`;
  await using own = await openTransaction(db, project.editor.actor);
  await own.sql`select set_config('storage.allow_delete_query', 'true', true)`;
  const waiting = own.sql`delete from storage.objects where bucket_id = 'genesis-files' and name = ${file_path}`
    .then(() => "done", (error) => error.code);
  await waitUntilBlocked(db, own);
  await db.sql`update public.projects set status = 'archived' where id = ${project.id}`;
  await holder.commit();
  assertEquals(await waiting, "42501");
});
