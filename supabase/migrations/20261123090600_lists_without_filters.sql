-- A list that names no project, such as the files of all of one's own, looked at everybody's rows: these policies asked in
-- a way that no index answers, so what strangers heap up made it slower for all. They ask as those of tasks and artifacts
-- do now, and let see the same rows: who owns or edits a project, or is an admin, is among its readers.

alter policy "members can read files" on public.file_storage
using (
  project_id = any ((select private.readable_project_ids())::uuid[])
  and (status = 'ready' or uploaded_by = (select auth.uid()))
);

alter policy "members can read which files are shared" on public.file_shares
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "owners can read the invitations of their projects, admins all" on public.project_invitations
using (
  project_id = any ((select private.readable_project_ids())::uuid[])
  and (project_id in (select private.project_ids('owner')) or (select private.is_admin()))
);

alter policy "people can read global agent types and those of their projects" on public.agent_types
using (project_id is null or project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read agents" on public.agents
using (
  (project_id is null or project_id = any ((select private.readable_project_ids())::uuid[]))
  and (
    status = 'active'
    or project_id in (select private.project_ids('editor'))
    or project_id in (select private.project_ids('owner'))
    or (select private.is_admin())
  )
);
