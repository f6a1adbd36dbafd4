-- An archived or deleted project stays as it is until it is restored, also for its owners and for admins: they could still
-- rename it, change its settings, give other roles and edit its agents.

create function private.keep_project_at_rest()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', old.status));
  return null;
end
$$;
revoke execute on function private.keep_project_at_rest() from public, anon, authenticated, service_role;

-- For those whom policies bind.
create trigger projects_keep_at_rest before update on public.projects
for each row when (
  old.status <> 'active' and new.status <> 'active'
  and (new.name, new.description, new.settings) is distinct from (old.name, old.description, old.settings)
  and row_security_active('public.projects')
)
execute function private.keep_project_at_rest();

alter policy "owners can change the role of collaborators" on public.project_collaborators
using (project_id in (select private.project_ids('active_owner')))
with check (project_id in (select private.project_ids('active_owner')));

-- An admin's agents are the global ones and those of active projects. Reading is as before: a policy looks into projects
-- as its reader, and an admin reads all of them.
alter policy "owners can add agents to a project, admins anywhere" on public.agents
with check (
  project_id in (select private.project_ids('active_owner'))
  or (
    (select private.is_admin())
    and (project_id is null or project_id in (select p.id from public.projects as p where p.status = 'active'))
  )
);

alter policy "owners can edit the agents of a project, admins all" on public.agents
using (
  project_id in (select private.project_ids('active_owner'))
  or (
    (select private.is_admin())
    and (project_id is null or project_id in (select p.id from public.projects as p where p.status = 'active'))
  )
)
with check (
  project_id in (select private.project_ids('active_owner'))
  or (
    (select private.is_admin())
    and (project_id is null or project_id in (select p.id from public.projects as p where p.status = 'active'))
  )
);

alter policy "owners can remove the agents of a project, admins all" on public.agents
using (
  project_id in (select private.project_ids('active_owner'))
  or (
    (select private.is_admin())
    and (project_id is null or project_id in (select p.id from public.projects as p where p.status = 'active'))
  )
);
