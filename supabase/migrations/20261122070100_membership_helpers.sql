-- Who may read what is asked by every statement of every person. As SQL functions the helpers were planned again each
-- time, which cost more than most reads; as plpgsql they keep their plans for the session. Their answers are the same.

create or replace function private.is_admin()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (select from public.profiles as p where p.id = auth.uid() and p.role = 'admin');
end
$$;

-- The projects that a person may look into, as one list: policies compare with it, and a list costs a statement less than
-- a set of rows does. Workers have no policies, so it does not ask about them.
create function private.readable_project_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
begin
  return array(
    select p.id from public.projects as p where p.owner_id = v_user_id
    union all
    select c.project_id
    from private.collaborations as c
    where c.user_id = v_user_id and (c.project_status <> 'deleted' or c.role = 'owner')
    union all
    select p.id
    from public.projects as p
    where (select a.role = 'admin' from public.profiles as a where a.id = v_user_id)
  );
end
$$;
grant execute on function private.readable_project_ids() to authenticated, service_role;

-- The same for every standing, as rows: for the policies of writing and for the operations.
create or replace function private.project_ids(p_role text)
returns setof uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
begin
  if p_role = 'reader' and private.is_worker() then
    return query select p.id from public.projects as p;
    return;
  elsif p_role = 'reader' then
    return query select unnest(private.readable_project_ids());
    return;
  end if;
  return query
  select p.id
  from public.projects as p
  where p.owner_id = v_user_id
    and (p_role not in ('editor', 'active_viewer', 'active_owner') or p.status = 'active')
  union all
  select c.project_id
  from private.collaborations as c
  where c.user_id = v_user_id
    and case p_role
      when 'viewer' then c.role = 'owner' or c.project_status <> 'deleted'
      when 'active_viewer' then c.project_status = 'active'
      when 'editor' then c.role in ('owner', 'editor') and c.project_status = 'active'
      when 'owner' then c.role = 'owner'
      when 'active_owner' then c.role = 'owner' and c.project_status = 'active'
      else false
    end;
end
$$;

create or replace function private.chat_session_ids(p_purpose text)
returns setof uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
begin
  if p_purpose = 'read' and private.is_admin() then
    return query select s.id from public.chat_sessions as s;
    return;
  end if;
  return query
  select s.id
  from public.chat_sessions as s
  join public.projects as p on p.id = s.project_id
  where p.id in (select private.project_ids('viewer'))
    and (s.user_id = v_user_id or s.is_shared)
    and (p_purpose = 'read' or (p.status = 'active' and s.status = 'active'));
end
$$;
