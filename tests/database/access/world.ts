// One project with everything in it and one person of every kind, for the access matrix.
import type { Actor, TestDatabase } from "../../support/database.ts";
import {
  claimNode,
  createAdmin,
  createAgent,
  createChatSession,
  createProject,
  createUser,
  graph,
  invitationToken,
  startExecution,
  storeObject,
} from "../../support/factories.ts";

export const ACTORS = ["anon", "stranger", "former", "viewer", "editor", "owner", "admin", "worker"] as const;
export type ActorName = (typeof ACTORS)[number];

/** Every row that the matrix speaks of, by the name it is given there. */
export interface World {
  project: string;
  actors: Record<ActorName, Actor>;
  /** Whose id an actor writes with; those without an account borrow the owner's. */
  ids: Record<ActorName, string>;
  rows: Record<string, string>;
}

export async function createWorld(db: TestDatabase): Promise<World> {
  const project = await createProject(db);
  const [former, admin, mate] = [await createUser(db), await createAdmin(db), await createUser(db)];
  const insert = async (text: string): Promise<string> => {
    const [row] = await db.sql.unsafe(`insert into public.${text} returning id`);
    return row?.id;
  };
  await insert(`project_collaborators (project_id, user_id, role) values ('${project.id}', '${former.id}', 'editor')`);
  const collaborator = await insert(
    `project_collaborators (project_id, user_id) values ('${project.id}', '${mate.id}')`,
  );
  const { execution, tasks: [task] } = await startExecution(db, project, graph([["a", "b"]]));
  const { execution: busy } = await startExecution(db, project, graph([["a", "b"]]));
  const leased = await claimNode(db, busy.id, "a");
  const token = await invitationToken();
  const invitation = await insert(
    `project_invitations (project_id, email, invited_by) values ('${project.id}', '${project.stranger.email}', '${project.owner.id}')`,
  );
  await db
    .sql`insert into private.invitation_tokens (invitation_id, token_hash) values (${invitation}, decode(${token}, 'hex'))`;
  const [privateSession, sharedSession, formerSession] = [
    await createChatSession(db, project.id, project.editor),
    await createChatSession(db, project.id, project.editor, true),
    await createChatSession(db, project.id, former),
  ];
  const message = (session: string) =>
    insert(
      `chat_messages (session_id, user_id, role, content) values ('${session}', '${project.editor.id}', 'user', 'hello')`,
    );
  const file = (name: string, uploader: string, rest: string) =>
    insert(`file_storage (project_id, file_path, file_name, uploaded_by, ${rest.split("|")[0]})
      values ('${project.id}', '${project.id}/${name}', '${name}', '${uploader}', ${rest.split("|")[1]})`);
  const ready = "status, file_size, mime_type | 'ready', 1, 'text/plain'";
  // Before its row: of a file that is ready nothing is put in the place any more.
  await storeObject(db, `${project.id}/ready`, 1, project.editor);
  const readyFile = await file("ready", project.editor.id, ready);
  const rows = {
    mate: mate.id,
    collaborator,
    editorCollaborator: (await db.sql`
      select id from public.project_collaborators where project_id = ${project.id} and user_id = ${project.editor.id}`)[
      0
    ]?.id,
    globalType: await insert(`agent_types (name) values ('poet-${mate.id.slice(0, 8)}')`),
    projectType: await insert(`agent_types (project_id, name) values ('${project.id}', 'painter')`),
    globalAgent: await createAgent(db, null),
    projectAgent: await createAgent(db, project.id),
    inactiveAgent: await createAgent(db, project.id, "inactive"),
    workflow: execution.workflow_id,
    execution: execution.id,
    task: task.id,
    decision: await insert(
      `task_decisions (task_id, project_id, user_id, decision) values ('${leased.id}', '${project.id}', '${project.editor.id}', 'approved')`,
    ),
    artifact:
      (await db.rpc("worker", "save_artifact", { project_id: project.id, file_path: "a", content: "a" })).artifact.id,
    privateSession,
    sharedSession,
    formerSession,
    privateMessage: await message(privateSession),
    sharedMessage: await message(sharedSession),
    readyFile,
    share: await insert(`file_shares (file_id, project_id, created_by, expires_at)
      values ('${readyFile}', '${project.id}', '${project.editor.id}', now() + interval '1 day')`),
    goneFile: await file("ready-but-gone", project.editor.id, ready),
    pendingFile: await file("pending", project.editor.id, "status | 'pending'"),
    formerFile: await file("former", former.id, "status | 'pending'"),
    invitation,
    invitationToken: token,
    freshToken: await invitationToken(),
    shareToken: await invitationToken(),
    leasedTask: leased.id,
    leaseToken: leased.lease_token,
    nobody: await userWithoutProfile(db),
  };
  // Topics on which something was said, also where no trigger of ours speaks.
  await db.sql`
    select realtime.send('{}', 'said', t) from unnest(${[
    `chat:${formerSession}`,
    `projects:${project.id}`,
  ]}::text[]) as t`;
  await db.sql`
    insert into realtime.messages (topic, extension, private)
    select distinct topic, 'presence', true from realtime.messages`;
  await storeObject(db, `${project.id}/by-editor`, 1, project.editor);
  await storeObject(db, `${project.id}/by-owner`, 1, project.owner);
  await storeObject(db, `${project.id}/pending`, 1, project.editor);
  await db.sql`
    insert into private.file_share_tokens (share_id, token_hash)
    values (${rows.share ?? ""}, decode(${rows.shareToken ?? ""}, 'hex'))`;
  await db.sql`delete from public.project_collaborators where user_id = ${former.id}`;
  const people = { ...project, former, admin };
  const names = ["stranger", "former", "viewer", "editor", "owner", "admin"] as const;
  const person = <Value>(pick: (name: (typeof names)[number]) => Value) =>
    Object.fromEntries(names.map((name) => [name, pick(name)])) as Record<(typeof names)[number], Value>;
  return {
    project: project.id,
    actors: { ...person((name) => people[name].actor), anon: "anon", worker: "worker" },
    ids: { ...person((name) => people[name].id), anon: project.owner.id, worker: project.owner.id },
    rows,
  };
}

async function userWithoutProfile(db: TestDatabase): Promise<string> {
  const person = await createUser(db);
  await db.sql`delete from public.profiles where id = ${person.id}`;
  return person.id;
}
