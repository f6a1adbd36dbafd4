-- Who was removed came back in by an invitation that had been out all the time, and a link they had once shared worked
-- again when they were let in again. Both end with the membership; the invitation also when somebody is given less.

create function private.revoke_invitations_to(p_project_id uuid, p_user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- The address that an invitation is accepted with: that of Auth, not of the profile.
  update public.project_invitations as i set status = 'revoked'
  from auth.users as u
  where u.id = p_user_id and i.project_id = p_project_id and i.email = lower(u.email) and i.status = 'pending';
end
$$;

create function private.revoke_shares_of(p_project_id uuid, p_user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.file_shares as s set revoked_at = now()
  where s.created_by = p_user_id and s.project_id = p_project_id and s.revoked_at is null;
end
$$;
revoke execute on function private.revoke_invitations_to(uuid, uuid), private.revoke_shares_of(uuid, uuid)
from public, anon, authenticated, service_role;

create function private.close_ways_back()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_owner_id uuid;
begin
  if old.role = 'owner' then
    -- The project before its invitations, like everything else: the end of an owner's own invitations takes it anyhow.
    perform 1 from public.projects as p where p.id = old.project_id for no key update;
  end if;
  select p.owner_id into v_owner_id from public.projects as p where p.id = old.project_id;
  -- Nobody: the whole project is being deleted. And who is handed the project gives up this row for more than it said.
  if v_owner_id is not null and v_owner_id <> old.user_id then
    perform private.revoke_invitations_to(old.project_id, old.user_id);
    if tg_op = 'DELETE' then
      perform private.revoke_shares_of(old.project_id, old.user_id);
    end if;
  end if;
  return case when tg_op = 'UPDATE' then new else old end;
end
$$;
revoke execute on function private.close_ways_back() from public, anon, authenticated, service_role;

-- Before the row goes, so that who accepts meanwhile is a member still, and is told so, instead of waiting for us while we
-- wait for them. By name they come before the triggers that ask the remover again, who may wait here.
create trigger project_collaborators_close_ways_back_deleted before delete on public.project_collaborators
for each row execute function private.close_ways_back();

create trigger project_collaborators_close_ways_back_lowered before update of role on public.project_collaborators
for each row when (
  array_position(array['viewer', 'editor', 'owner'], new.role) < array_position(array['viewer', 'editor', 'owner'], old.role)
)
execute function private.close_ways_back();

-- With an account its projects' invitations to the same address end: whoever signs up with it anew is somebody else.
create function private.revoke_invitations_to_former_account()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.project_invitations as i set status = 'revoked'
  from public.project_collaborators as c
  where c.user_id = old.id and i.project_id = c.project_id and i.email = lower(old.email) and i.status = 'pending';
  return old;
end
$$;
revoke execute on function private.revoke_invitations_to_former_account() from public, anon, authenticated, service_role;
create trigger profiles_close_ways_back before delete on public.profiles
for each row execute function private.revoke_invitations_to_former_account();

-- A worker may write another holder into the project, who then has no row to remove.
create function private.close_ways_back_of_holder()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if exists (
    select from public.projects as p where p.id = old.id and p.owner_id <> old.owner_id
  ) and not exists (
    select from public.project_collaborators as c where c.project_id = old.id and c.user_id = old.owner_id
  ) then
    perform private.revoke_invitations_to(old.id, old.owner_id);
    perform private.revoke_shares_of(old.id, old.owner_id);
    update public.project_invitations as i set status = 'revoked'
    where i.project_id = old.id and i.invited_by = old.owner_id and i.status = 'pending';
  end if;
  return null;
end
$$;
revoke execute on function private.close_ways_back_of_holder() from public, anon, authenticated, service_role;

-- At the end of the transaction: who passes the project on becomes a co-owner after it.
create constraint trigger projects_close_ways_back after update of owner_id on public.projects
deferrable initially deferred
for each row when (old.owner_id is distinct from new.owner_id) execute function private.close_ways_back_of_holder();
