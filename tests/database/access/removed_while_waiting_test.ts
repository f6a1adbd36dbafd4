// access: who is removed while their statement or operation waits for a lock does nothing any more.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimNode,
  createAgent,
  createChatSession,
  createFile,
  createProject,
  createUser,
  createWorkflow,
  graph,
  invitationToken,
  startExecution,
  storeObject,
} from "../../support/factories.ts";
import { type OpenTransaction, openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A project of an owner, a co-owner or editor whom the test removes, and another editor. */
async function createTarget(role: string) {
  const { editor: leaver, ...project } = await createProject(db);
  await db.sql`update public.project_collaborators set role = ${role} where user_id = ${leaver.id}`;
  return { ...project, leaver };
}
type Target = Awaited<ReturnType<typeof createTarget>>;

async function meet(target: Target, act: (own: OpenTransaction) => Promise<unknown>, blocker: OpenTransaction) {
  await using own = await openTransaction(db, target.leaver.actor);
  const waiting = act(own).then(() => "done", (error) => error.hint ?? error.message);
  await waitUntilBlocked(db, own);
  await db.sql`delete from public.project_collaborators where user_id = ${target.leaver.id}`;
  await blocker.commit();
  const answer = await waiting;
  await own.commit().catch(() => {});
  return answer;
}

const LOST = {
  "removed": "delete from public.project_collaborators where user_id = $1",
  "made a viewer": "update public.project_collaborators set role = 'viewer' where user_id = $1",
};
const CHANGES = {
  "deletes a project": "delete from public.projects where id = $1",
  "puts a project in the bin": "update public.projects set status = 'deleted' where id = $1",
  "renames a project": `update public.projects set name = 'Mine', settings = '{"x": 1}' where id = $1`,
};
for (const [lost, loss] of Object.entries(LOST)) {
  for (const [what, change] of Object.entries(CHANGES)) {
    Deno.test(`a co-owner who is being ${lost} no longer ${what}`, async () => {
      const { id, owner, leaver } = await createTarget("owner");
      await using removal = await openTransaction(db, owner.actor);
      await removal.sql.unsafe(loss, [leaver.id]);
      await using own = await openTransaction(db, leaver.actor);
      const waiting = own.sql.unsafe(change, [id]).then(() => "done", (error) => error.hint);
      await waitUntilBlocked(db, own);
      await removal.commit();
      assertEquals(await waiting, "forbidden");
    });
  }
}

Deno.test("a co-owner who is being removed no longer revokes an invitation", async () => {
  const target = await createTarget("owner");
  const invitation_id = await invite(target);
  await using removal = await openTransaction(db, target.owner.actor);
  await removal.sql`delete from public.project_collaborators where user_id = ${target.leaver.id}`;
  await using own = await openTransaction(db, target.leaver.actor);
  const waiting = own.rpc("revoke_invitation", { invitation_id }).then(() => "done", (error) => error.hint);
  await waitUntilBlocked(db, own);
  await removal.commit();
  assertEquals(await waiting, "invitation_not_found");
});

async function invite({ id, owner }: Target): Promise<string> {
  const { email } = await createUser(db);
  const request = { project_id: id, email, role: "viewer", token_sha256: await invitationToken() };
  return (await db.rpc(owner.actor, "invite_collaborator", request)).invitation.id;
}

const definition = graph([["a", "b"]]);
/** Of the tasks that a case claimed. */
const leases = new Map<string, string>();
async function claimed(target: Target): Promise<string> {
  const task = await claimNode(db, await executionOf(target), "a");
  leases.set(task.id, task.lease_token);
  return task.id;
}
const workflowOf = (target: Target) => createWorkflow(db, { ...target, editor: target.leaver }, definition);
const executionOf = async (target: Target) =>
  (await startExecution(db, { ...target, editor: target.leaver }, definition)).execution.id as string;

interface Case {
  what: string;
  role: "owner" | "editor";
  make: (target: Target) => Promise<string>;
  hold: (id: string, target: Target) => string;
  act: (own: OpenTransaction, id: string, target: Target) => Promise<unknown>;
  answer: string;
}
const row = (table: string) => (id: string) => `select from public.${table} where id = '${id}' for update`;
const CASES: Case[] = [
  {
    what: "deletes somebody else's file",
    role: "owner",
    make: async (target) => (await createFile(db, { ...target, editor: target.owner })).id,
    hold: row("file_storage"),
    act: (own, file_id) => own.rpc("delete_file", { file_id }),
    answer: "file_not_found",
  },
  {
    what: "withdraws an invitation",
    role: "owner",
    make: invite,
    hold: row("project_invitations"),
    act: (own, invitation_id) => own.rpc("withdraw_invitation", { invitation_id }),
    answer: "invitation_not_found",
  },
  {
    what: "changes a workflow",
    role: "editor",
    make: workflowOf,
    hold: row("workflows"),
    act: (own, id) => own.sql`update public.workflows set name = 'Mine' where id = ${id}`,
    answer: "forbidden",
  },
  {
    what: "deletes a workflow",
    role: "owner",
    make: workflowOf,
    hold: row("workflows"),
    act: (own, id) => own.sql`delete from public.workflows where id = ${id}`,
    answer: "forbidden",
  },
  {
    what: "publishes a workflow",
    role: "editor",
    make: workflowOf,
    hold: row("workflows"),
    act: (own, workflow_id) => own.rpc("publish_workflow", { workflow_id }),
    answer: "workflow_not_found",
  },
  {
    what: "changes an agent",
    role: "owner",
    make: ({ id }) => createAgent(db, id),
    hold: row("agents"),
    act: (own, id) => own.sql`update public.agents set system_prompt = 'Mine' where id = ${id}`,
    answer: "forbidden",
  },
  {
    what: "deletes an agent",
    role: "owner",
    make: ({ id }) => createAgent(db, id),
    hold: row("agents"),
    act: (own, id) => own.sql`delete from public.agents where id = ${id}`,
    answer: "forbidden",
  },
  {
    what: "saves an artifact",
    role: "editor",
    make: ({ id }) => Promise.resolve(id),
    hold: (id) => `select private.lock_artifacts(array['${id}'::uuid])`,
    act: (own, project_id) => own.rpc("save_artifact", { project_id, file_path: "a.md", content: "mine" }),
    answer: "project_not_found",
  },
  {
    what: "deletes an artifact",
    role: "editor",
    make: async ({ id, owner }) => {
      await db.rpc(owner.actor, "save_artifact", { project_id: id, file_path: "a.md", content: "theirs" });
      return id;
    },
    hold: (id) => `select private.lock_artifacts(array['${id}'::uuid])`,
    act: (own, project_id) => own.rpc("delete_artifact", { project_id, file_path: "a.md" }),
    answer: "project_not_found",
  },
  {
    what: "cancels an execution",
    role: "editor",
    make: executionOf,
    hold: (id) => `select private.enter_execution('${id}', true)`,
    act: (own, execution_id) => own.rpc("cancel_execution", { execution_id }),
    answer: "execution_not_found",
  },
  {
    what: "claims a task",
    role: "editor",
    make: async (target) => {
      await db.sql`update public.projects set settings = '{"concurrency_limit": 5}' where id = ${target.id}`;
      return await executionOf(target);
    },
    hold: (_, { id }) => `select pg_advisory_xact_lock(uuid_hash_extended('${id}', 3))`,
    act: (own, _, { id }) => own.rpc("claim_tasks", { worker_id: "mine", agent_types: ["architect"], project_id: id }),
    answer: "project_not_found",
  },
  {
    what: "restores an artifact",
    role: "editor",
    make: async ({ id, owner }) => {
      const save = (content: string) =>
        db.rpc(owner.actor, "save_artifact", { project_id: id, file_path: "a.md", content });
      const { artifact } = await save("first");
      await save("second");
      return artifact.id;
    },
    hold: (_, { id }) => `select private.lock_artifacts(array['${id}'::uuid])`,
    act: (own, artifact_id) => own.rpc("restore_artifact", { artifact_id }),
    answer: "project_not_found",
  },
  {
    what: "reverts an execution",
    role: "editor",
    make: async (target) => {
      const id = await executionOf(target);
      await db.rpc(target.owner.actor, "cancel_execution", { execution_id: id });
      return id;
    },
    hold: (_, { id }) => `select private.lock_artifacts(array['${id}'::uuid])`,
    act: (own, execution_id) => own.rpc("revert_execution", { execution_id }),
    answer: "project_not_found",
  },
  {
    what: "shares a file",
    role: "editor",
    make: async (target) => (await createFile(db, { ...target, editor: target.owner })).id,
    hold: row("file_storage"),
    act: async (own, file_id) =>
      own.rpc("share_file", { file_id, expires_in_seconds: 60, token_sha256: await invitationToken() }),
    answer: "file_not_found",
  },
  {
    what: "decides an approval",
    role: "editor",
    make: async (target) => {
      const review = graph([["review", "b"]], { review: { type: "approval" } });
      const { execution } = await startExecution(db, { ...target, editor: target.leaver }, review);
      const [task] = await db.sql`
        select id from public.agent_tasks where workflow_execution_id = ${execution.id} and node_id = 'review'`;
      return task?.id;
    },
    hold: (id) =>
      `select private.enter_execution(t.workflow_execution_id, true) from public.agent_tasks as t where t.id = '${id}'`,
    act: (own, task_id) => own.rpc("decide_task", { task_id, decision: "approved" }),
    answer: "task_not_found",
  },
  {
    what: "reports a task",
    role: "editor",
    make: claimed,
    hold: row("agent_tasks"),
    act: (own, task_id) => own.rpc("complete_task", { task_id, lease_token: leases.get(task_id), status: "completed" }),
    answer: "task_not_found",
  },
  {
    what: "reports a batch of tasks",
    role: "editor",
    make: claimed,
    hold: row("agent_tasks"),
    act: (own, task_id) =>
      own.rpc("complete_tasks", { results: [{ task_id, lease_token: leases.get(task_id), status: "completed" }] }),
    answer: "task_not_found",
  },
  {
    what: "keeps a lease",
    role: "editor",
    make: claimed,
    hold: row("agent_tasks"),
    act: (own, task_id) => own.rpc("heartbeat_task", { task_id, lease_token: leases.get(task_id) }),
    answer: "task_not_found",
  },
  {
    what: "starts a workflow that was published before",
    role: "editor",
    make: async (target) => {
      const workflow_id = await workflowOf(target);
      await db.rpc(target.owner.actor, "publish_workflow", { workflow_id });
      return workflow_id;
    },
    hold: row("workflows"),
    act: (own, workflow_id) => own.rpc("start_workflow", { workflow_id }),
    answer: "project_not_found",
  },
  {
    what: "writes in a chat",
    role: "editor",
    make: (target) => createChatSession(db, target.id, target.leaver),
    hold: row("chat_sessions"),
    act: (own, id) =>
      own.sql`insert into public.chat_messages (session_id, role, content) values (${id}, 'user', 'late')`,
    answer: "forbidden",
  },
  {
    what: "renames their chat",
    role: "editor",
    make: (target) => createChatSession(db, target.id, target.leaver),
    hold: row("chat_sessions"),
    act: (own, id) => own.sql`update public.chat_sessions set title = 'late' where id = ${id}`,
    answer: "forbidden",
  },
  {
    what: "deletes an object of the bucket",
    role: "owner",
    make: async (target) => (await createFile(db, { ...target, editor: target.owner })).file_path,
    hold: (path) => `select from storage.objects where name = '${path}' for update`,
    act: async (own, path) => {
      await own.sql`select set_config('storage.allow_delete_query', 'true', true)`;
      return await own.sql`delete from storage.objects where bucket_id = 'genesis-files' and name = ${path}`;
    },
    answer: "You may no longer delete this object.",
  },
  {
    what: "moves their object into a project of their own",
    role: "editor",
    make: async (target) => {
      await db.sql`insert into public.projects (name, owner_id) values ('Mine', ${target.leaver.id})`;
      await storeObject(db, `${target.id}/mine.txt`, 5, target.leaver);
      return `${target.id}/mine.txt`;
    },
    hold: (path) => `select from storage.objects where name = '${path}' for update`,
    act: (own, path, target) =>
      own.sql`
        update storage.objects set name = (select id || '/mine.txt' from public.projects where owner_id = ${target.leaver.id}),
          version = '2'
        where name = ${path}`,
    answer: "The uploader can no longer write to this project.",
  },
];
for (const { what, role, make, hold, act, answer } of CASES) {
  Deno.test(`who is removed while they wait for somebody else's lock no longer ${what}`, async () => {
    const target = await createTarget(role);
    const id = await make(target);
    await using blocker = await openTransaction(db, "superuser");
    await blocker.sql.unsafe(hold(id, target));
    assertEquals(await meet(target, (own) => act(own, id, target), blocker), answer);
  });
}
