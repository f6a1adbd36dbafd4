// What hostile requests aim at: a project with one of everything in it, and a way to see whether anything of it changed.
import { graph } from "../../support/factories.ts";
import { call } from "../../support/http.ts";
import { save } from "../artifacts.ts";
import { sql } from "../behind.ts";
import { claimTask, createTeam, createWorkflow, type Project } from "../project.ts";
import { textUpload } from "../uploads.ts";

export interface World {
  project: Project;
  /** Ids that exist, by the name of the field that holds such a one. */
  ids: Record<string, string>;
}

/** A day: nobody else may find the task abandoned while it is shot at. */
const LEASE_SECONDS = 86_400;

export async function createWorld(): Promise<World> {
  const project = await createTeam();
  const task = await claimTask(project, graph([["first", "second"]]), LEASE_SECONDS);
  const upload = await call(project.editor, "upload-file", textUpload(project.id));
  const file_id = upload.body.file.id;
  const [workflow_id, artifact, share, invitation] = await Promise.all([
    createWorkflow(project),
    save(project, "kept.txt", "kept"),
    call(project.editor, "upload-file/share", { file_id, expires_in_seconds: 86_400 }),
    call(project.owner, "invite-collaborator", {
      project_id: project.id,
      email: `invited-${crypto.randomUUID()}@example.com`,
      role: "viewer",
    }),
  ]);
  const ids = {
    project_id: project.id,
    workflow_id,
    execution_id: task.execution_id,
    task_id: task.id,
    lease_token: task.lease_token,
    artifact_id: artifact.id,
    file_id,
    share_id: share.body.share_id,
    invitation_id: invitation.body.invitation.id,
  };
  return { project, ids };
}

const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where (n.nspname in ('public', 'private') or (n.nspname, c.relname) = ('storage', 'objects')) and c.relkind in ('r', 'p')`;

/** Every row of every table that names something of this world, as one hash and a count per table. */
export async function fingerprint({ project, ids }: World): Promise<Record<string, string>> {
  const { owner, editor, viewer, stranger } = project;
  const needles = [...Object.values(ids), owner.id, editor.id, viewer.id, stranger.id].map((id) => `%${id}%`);
  const prints: Record<string, string> = {};
  for (const { name } of await sql().unsafe(TABLES)) {
    const [row] = await sql().unsafe(
      `select count(*) || ' rows, ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as print
      from ${name} as t where t::text like any ($1)`,
      [needles],
    );
    prints[name] = row?.print;
  }
  return prints;
}
