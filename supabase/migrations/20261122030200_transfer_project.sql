-- Whose a project is. transfer_project passes it on to a collaborator; the one who held it stays as a co-owner, and may
-- leave then. projects.owner_id is never empty and has no membership row to delete, so the last owner cannot leave.

-- Only the holder passes a project on: otherwise one co-owner could take it, and remove its maker.
create function private.transfer_project(p_project_id uuid, p_user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project public.projects;
begin
  perform private.require_role(p_project_id, 'owner');
  select p.* into v_project from public.projects as p where p.id = p_project_id for no key update;
  if not private.is_worker() and v_project.owner_id is distinct from auth.uid() then
    perform private.refuse('forbidden', 'Only the person who holds the project can pass it on.');
  end if;
  if p_user_id is null or p_user_id = v_project.owner_id then
    perform private.refuse_field('user_id', 'must be another member of the project');
  end if;
  -- Somebody who accepted an invitation once: nobody is handed a project unasked.
  if not exists (
    select from public.project_collaborators as c where c.project_id = p_project_id and c.user_id = p_user_id
  ) then
    perform private.refuse('person_not_found', 'There is no such member in this project.');
  end if;

  perform private.hand_over_project(v_project, p_user_id);
  insert into public.project_collaborators (project_id, user_id, role)
  values (p_project_id, v_project.owner_id, 'owner')
  on conflict (project_id, user_id) do update set role = 'owner';
  return jsonb_build_object('project', jsonb_build_object(
    'id', v_project.id, 'name', v_project.name, 'status', v_project.status, 'owner_id', p_user_id
  ));
end
$$;

-- The holder first: whoever looks meanwhile finds one owner at every moment.
create function private.hand_over_project(p_project public.projects, p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.projects as p set owner_id = p_user_id where p.id = p_project.id;
  delete from public.project_collaborators as c where c.project_id = p_project.id and c.user_id = p_user_id;
end
$$;

create function public.transfer_project(project_id uuid, user_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.transfer_project(transfer_project.project_id, transfer_project.user_id);
end
$$;
grant execute on function private.transfer_project(uuid, uuid), public.transfer_project(uuid, uuid)
to authenticated, service_role;

-- An account that is deleted takes its projects along (foreign key), but not those that others own as well: these go to
-- the co-owner of the longest standing.
create function private.pass_on_projects()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project public.projects;
  v_heir uuid;
begin
  for v_project in
    select p.* from public.projects as p where p.owner_id = old.id order by p.id for no key update
  loop
    select c.user_id into v_heir
    from public.project_collaborators as c
    where c.project_id = v_project.id and c.role = 'owner' and c.user_id <> old.id
    order by c.created_at, c.id
    limit 1;
    if found then
      perform private.hand_over_project(v_project, v_heir);
    end if;
  end loop;
  return old;
end
$$;
create trigger profiles_pass_on_projects before delete on public.profiles
for each row execute function private.pass_on_projects();
