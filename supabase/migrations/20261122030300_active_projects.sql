-- In a project that is archived or deleted nothing changes, for nobody who speaks through the API. Editors were held to
-- that already; here the owners and the chats are too. What stays possible in every state is what concerns the project
-- itself and who is in it: its owner restores it, people leave, collaborators are removed.

-- As before, with two more standings: active_viewer and active_owner ask for an active project.
create or replace function private.project_ids(p_role text)
returns setof uuid
language sql
stable
security definer
set search_path = ''
as $$
  select p.id
  from public.projects as p
  where p.owner_id = (select auth.uid())
    and (p_role not in ('editor', 'active_viewer', 'active_owner') or p.status = 'active')
  union all
  select c.project_id
  from public.project_collaborators as c
  join public.projects as p on p.id = c.project_id
  where c.user_id = (select auth.uid())
    and case p_role
      when 'reader' then c.role = 'owner' or p.status <> 'deleted'
      when 'viewer' then c.role = 'owner' or p.status <> 'deleted'
      when 'active_viewer' then p.status = 'active'
      when 'editor' then c.role in ('owner', 'editor') and p.status = 'active'
      when 'owner' then c.role = 'owner'
      when 'active_owner' then c.role = 'owner' and p.status = 'active'
      else false
    end
  union all
  select p.id
  from public.projects as p
  where p_role = 'reader' and ((select private.is_admin()) or (select private.is_worker()))
$$;

alter policy "admins can add global agent types, owners those of a project" on public.agent_types
with check (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('active_owner'))
);

alter policy "admins can edit global agent types, owners those of a project" on public.agent_types
using (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('active_owner'))
)
with check (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('active_owner'))
);

alter policy "admins can remove global agent types, owners those of a project" on public.agent_types
using (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('active_owner'))
);

alter policy "owners can add agents to a project, admins anywhere" on public.agents
with check (project_id in (select private.project_ids('active_owner')) or (select private.is_admin()));

alter policy "owners can edit the agents of a project, admins all" on public.agents
using (project_id in (select private.project_ids('active_owner')) or (select private.is_admin()))
with check (project_id in (select private.project_ids('active_owner')) or (select private.is_admin()));

alter policy "owners can remove the agents of a project, admins all" on public.agents
using (project_id in (select private.project_ids('active_owner')) or (select private.is_admin()));

alter policy "owners can delete workflows" on public.workflows
using (project_id in (select private.project_ids('active_owner')));

alter policy "members can open sessions of their own" on public.chat_sessions
with check (user_id = (select auth.uid()) and project_id in (select private.project_ids('active_viewer')));

alter policy "people can edit their own sessions" on public.chat_sessions
using (user_id = (select auth.uid()) and project_id in (select private.project_ids('active_viewer')))
with check (user_id = (select auth.uid()) and project_id in (select private.project_ids('active_viewer')));

alter policy "people can delete their own sessions" on public.chat_sessions
using (user_id = (select auth.uid()) and project_id in (select private.project_ids('active_viewer')));

alter policy "editors can delete the files they uploaded, owners all" on storage.objects
using (
  bucket_id = 'genesis-files'
  and (
    (
      owner_id = (select auth.uid())::text
      and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('editor') as p (id))
    )
    or (storage.foldername(name))[1] in (select p.id::text from private.project_ids('active_owner') as p (id))
  )
);
