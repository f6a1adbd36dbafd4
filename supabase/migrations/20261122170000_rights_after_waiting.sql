-- A right is asked for again once a lock is held. Who is being demoted, and asks for something that waits for the very row,
-- was judged by what there was when their statement began: they could write their old role over the new one.

create or replace function private.set_user_role(p_user_id uuid, p_role text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_profile public.profiles;
begin
  perform private.require_admin();
  if p_role is null or p_role not in ('user', 'admin', 'developer') then
    perform private.refuse_field('role', 'must be user, admin or developer');
  end if;

  -- All admins are locked, so that of two who step each other down at once one finds nobody left; and who was an admin
  -- before the wait may be none any more.
  perform 1 from public.profiles as p where p.role = 'admin' or p.id = p_user_id order by p.id for no key update;
  perform private.require_admin();
  select p.* into v_profile from public.profiles as p where p.id = p_user_id;
  if v_profile.id is null then
    perform private.refuse('person_not_found', 'There is no such person.');
  end if;
  if v_profile.role = 'admin' and p_role <> 'admin' and not exists (
    select from public.profiles as p where p.role = 'admin' and p.id <> p_user_id
  ) then
    perform private.refuse('last_admin', 'This is the last admin: make another one first.');
  end if;

  update public.profiles as p set role = p_role where p.id = p_user_id;
  return jsonb_build_object('profile', jsonb_build_object('id', p_user_id, 'role', p_role));
end
$$;

create function private.require_admin()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not (private.is_worker() or private.is_admin()) then
    perform private.refuse('forbidden', 'Only an admin can set roles.');
  end if;
end
$$;
revoke execute on function private.require_admin() from public, anon, authenticated, service_role;

-- Whoever is leaving, or being removed, at this moment is not handed the project.
create or replace function private.transfer_project(p_project_id uuid, p_user_id uuid)
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
  perform 1
  from public.project_collaborators as c where c.project_id = p_project_id and c.user_id = p_user_id
  for update;
  if not found then
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

-- The policies of a statement look at what there was when it began. A trigger runs after the row is locked, and its
-- queries see what has committed since. It is for those whom policies bind: operations ask for themselves.
create function private.ask_owner_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not exists (
    select from private.project_ids(case when tg_op = 'UPDATE' then 'active_owner' else 'owner' end) as p (id)
    where p.id = old.project_id
  ) then
    perform private.refuse('forbidden', 'Only an owner of the project can change who is in it.');
  end if;
  return case when tg_op = 'UPDATE' then new else old end;
end
$$;
revoke execute on function private.ask_owner_again() from public, anon, authenticated, service_role;

create trigger project_collaborators_update_asks_again before update on public.project_collaborators
for each row when (row_security_active('public.project_collaborators'))
execute function private.ask_owner_again();

create trigger project_collaborators_delete_asks_again before delete on public.project_collaborators
for each row when (old.user_id is distinct from auth.uid() and row_security_active('public.project_collaborators'))
execute function private.ask_owner_again();
