-- The policies that people write first, and the seed had: each looks the membership up itself, through tables that have
-- policies of their own, with auth.uid() called per row. The seed's recursion between projects and collaborators is
-- taken out by letting a collaborator row be read by the person it names.

drop policy "members can read their projects" on public.projects;
create policy "customary" on public.projects for select to authenticated
using (
  owner_id = auth.uid()
  or id in (select c.project_id from public.project_collaborators as c where c.user_id = auth.uid())
);

drop policy "members can read who is in their projects" on public.project_collaborators;
create policy "customary" on public.project_collaborators for select to authenticated
using (user_id = auth.uid());

drop policy "members can read tasks" on public.agent_tasks;
create policy "customary" on public.agent_tasks for select to authenticated
using (
  project_id in (
    select p.id from public.projects as p
    where p.owner_id = auth.uid()
      or p.id in (select c.project_id from public.project_collaborators as c where c.user_id = auth.uid())
  )
);

drop policy "members can read artifacts" on public.code_artifacts;
create policy "customary" on public.code_artifacts for select to authenticated
using (
  project_id in (
    select p.id from public.projects as p
    where p.owner_id = auth.uid()
      or p.id in (select c.project_id from public.project_collaborators as c where c.user_id = auth.uid())
  )
);

drop policy "people can read their own sessions and those shared with their projects" on public.chat_sessions;
create policy "customary" on public.chat_sessions for select to authenticated
using (user_id = auth.uid());

drop policy "people can read the messages of sessions they can read" on public.chat_messages;
create policy "customary" on public.chat_messages for select to authenticated
using (session_id in (select s.id from public.chat_sessions as s where s.user_id = auth.uid()));
