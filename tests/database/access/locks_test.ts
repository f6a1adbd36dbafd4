// Who may not touch a row cannot hold its lock either: while somebody else has it, a stranger is refused at once.
import { assertEquals } from "@std/assert";
import { type Actor, refused, shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createFile,
  createProject,
  createUser,
  createWorkflow,
  graph,
  invitationToken,
  startExecution,
} from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

async function createTarget() {
  const project = await createProject(db);
  const definition = graph([["a", "b"]]);
  const { execution } = await startExecution(db, project, definition);
  const { id, lease_token } = await claimNode(db, execution.id, "a");
  const [file, workflow_id] = await Promise.all([createFile(db, project), createWorkflow(db, project, definition)]);
  return { project, execution, task: { task_id: id, lease_token }, file_id: file.id, workflow_id };
}

type Target = Awaited<ReturnType<typeof createTarget>>;

const CALLS: [string, string, (target: Target) => Record<string, unknown>][] = [
  ["heartbeat_task", "task_not_found", ({ task }) => task],
  ["release_task", "task_not_found", ({ task }) => task],
  ["complete_task", "task_not_found", ({ task }) => ({ ...task, status: "completed" })],
  ["decide_task", "task_not_found", ({ task: { task_id } }) => ({ task_id, decision: "approved" })],
  ["publish_workflow", "workflow_not_found", ({ workflow_id }) => ({ workflow_id })],
  ["roll_back_workflow", "workflow_not_found", ({ workflow_id }) => ({ workflow_id, to_version: 1 })],
  ["start_workflow", "workflow_not_found", ({ workflow_id }) => ({ workflow_id })],
  ["cancel_execution", "execution_not_found", ({ execution }) => ({ execution_id: execution.id })],
  ["retry_execution", "execution_not_found", ({ execution }) => ({ execution_id: execution.id })],
  ["fork_execution", "execution_not_found", ({ execution }) => ({ execution_id: execution.id, from_node: "a" })],
  ["revert_execution", "execution_not_found", ({ execution }) => ({ execution_id: execution.id })],
  ["delete_file", "file_not_found", ({ file_id }) => ({ file_id })],
  ["share_file", "file_not_found", ({ file_id }) => ({
    file_id,
    expires_in_seconds: 60,
    token_sha256: "a".repeat(64),
  })],
];

/** Everything of the target that an operation may want to lock, held by somebody else. */
async function hold(target: Target) {
  const holder = await openTransaction(db, "superuser");
  const { sql } = holder;
  await sql`select from public.projects where id = ${target.project.id} for update`;
  await sql`select from public.workflows where id = ${target.workflow_id} for update`;
  await sql`select from public.workflow_executions where id = ${target.execution.id} for update`;
  await sql`select from public.agent_tasks where workflow_execution_id = ${target.execution.id} for update`;
  await sql`select from public.file_storage where id = ${target.file_id} for update`;
  await sql`select private.enter_execution(${target.execution.id}, true), private.enter_graph(${target.execution.id})`;
  return holder;
}

async function openAsStranger({ project: { stranger } }: Target) {
  const transaction = await openTransaction(db, stranger.actor);
  await transaction.sql`set local lock_timeout = '1s'`;
  return transaction;
}

for (const [door, code, args] of CALLS) {
  Deno.test(`a stranger's ${door} waits for nobody`, async () => {
    const target = await createTarget();
    await using _holder = await hold(target);
    await using stranger = await openAsStranger(target);
    assertEquals((await refused(stranger.rpc(door, args(target)))).code, code);
  });
}

Deno.test("a stranger's batch of reports waits for nobody, and holds up neither executions nor files", async () => {
  const target = await createTarget();
  const results = [{ ...target.task, status: "failed", artifacts: [{ file_path: "a.txt", content: "a" }] }];
  await using stranger = await openAsStranger(target);
  const answer = await stranger.rpc("complete_tasks", { results });
  assertEquals(answer.results[0].error.code, "task_not_found");
  const held = await db.sql`
    select from pg_locks where pid = ${stranger.pid} and locktype = 'advisory'`;
  assertEquals(held.length, 0);
});

Deno.test("whoever an invitation does not open the project for waits for nobody", async () => {
  const target = await createTarget();
  const { id, owner } = target.project;
  const person = await createUser(db);
  const token_sha256 = await invitationToken();
  const request = { project_id: id, email: person.email, role: "viewer", token_sha256 };
  const { invitation } = await db.rpc(owner.actor, "invite_collaborator", request);
  for (
    const [actor, code] of [[target.project.stranger.actor, "wrong_address"], [person.actor, "not_pending"]] as const
  ) {
    await using _holder = await hold(target);
    await using own = await openTransaction(db, actor);
    await own.sql`set local lock_timeout = '1s'`;
    assertEquals((await refused(own.rpc("accept_invitation", { token_sha256 }))).code, `invitation_${code}`);
    await _holder.rollback();
    if (code === "wrong_address") await db.rpc(owner.actor, "revoke_invitation", { invitation_id: invitation.id });
  }
});

Deno.test("who may not put an object in a file's place waits for nobody", async () => {
  const target = await createTarget();
  const [file] = await db.sql`select file_path from public.file_storage where id = ${target.file_id}`;
  await using _holder = await hold(target);
  await using stranger = await openAsStranger(target);
  const put = stranger.sql`
    insert into storage.objects (bucket_id, name, owner_id, version)
    values ('genesis-files', ${file?.file_path}, ${target.project.stranger.id}, '1')`;
  assertEquals((await refused(put)).message, "The uploader can no longer write to this project.");
});

Deno.test("an editor who may not delete somebody else's file waits for nobody", async () => {
  const target = await createTarget();
  const { id, viewer } = target.project;
  await db
    .sql`update public.project_collaborators set role = 'editor' where project_id = ${id} and user_id = ${viewer.id}`;
  await using _holder = await hold(target);
  await using other = await openTransaction(db, viewer.actor);
  await other.sql`set local lock_timeout = '1s'`;
  assertEquals((await refused(other.rpc("delete_file", { file_id: target.file_id }))).code, "forbidden");
});

const OF_PROJECTS: [string, string, (target: Target) => [Actor, Record<string, unknown>]][] = [
  ["shares a file", "share_file", ({ project, file_id }) => [
    project.editor.actor,
    { file_id, expires_in_seconds: 60, token_sha256: "b".repeat(64) },
  ]],
  ["deletes a file", "delete_file", ({ project, file_id }) => [project.editor.actor, { file_id }]],
  ["finishes a file", "finish_upload", ({ file_id }) => [
    "worker",
    { file_id, file_size: 5, sha256: "a".repeat(64) },
  ]],
  ["saves an artifact", "save_artifact", ({ project }) => [
    project.editor.actor,
    // With a text that is stored already, as where a change is taken back.
    { project_id: project.id, file_path: "a.ts", content: "b" },
  ]],
  ["deletes an artifact", "delete_artifact", ({ project }) => [
    project.editor.actor,
    { project_id: project.id, file_path: "a.ts" },
  ]],
];
for (const [what, door, call] of OF_PROJECTS) {
  Deno.test(`who ${what} locks its project first, as who deletes the project does`, async () => {
    const target = await createTarget();
    for (const [file_path, content] of [["b.ts", "b"], ["a.ts", "a"]]) {
      await db.rpc("worker", "save_artifact", { project_id: target.project.id, file_path, content });
    }
    await using deleting = await openTransaction(db, "superuser");
    await deleting.sql`select from public.projects where id = ${target.project.id} for update`;
    const [actor, args] = call(target);
    await using own = await openTransaction(db, actor);
    const waiting = own.rpc(door, args);
    await waitUntilBlocked(db, own);
    await deleting.sql`select from public.file_storage where id = ${target.file_id} for update nowait`;
    await deleting.sql`select from public.code_artifacts where project_id = ${target.project.id} for update nowait`;
    await deleting
      .sql`select from public.project_collaborators where project_id = ${target.project.id} for update nowait`;
    await deleting.rollback();
    await waiting;
  });
}
