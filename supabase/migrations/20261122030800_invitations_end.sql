-- An invitation is worth as much as the standing of whoever sent it: when an owner is removed or stepped down, their
-- pending invitations end with it. Otherwise an owner about to be removed could keep a way back in.

create function private.revoke_invitations_of_former_owner()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Waits for an invitation that is just being made. Gone where the whole project is being deleted.
  perform 1 from public.projects as p where p.id = old.project_id for no key update;
  if exists (
    select from public.projects as p where p.id = old.project_id and p.owner_id = old.user_id
    union all
    select from public.project_collaborators as c
    where c.project_id = old.project_id and c.user_id = old.user_id and c.role = 'owner'
  ) then
    return null;
  end if;
  update public.project_invitations as i set status = 'revoked'
  where i.project_id = old.project_id and i.invited_by = old.user_id and i.status = 'pending';
  return null;
end
$$;
create trigger project_collaborators_end_invitations after delete or update of role on public.project_collaborators
for each row when (old.role = 'owner') execute function private.revoke_invitations_of_former_owner();

-- An account that is deleted is no owner either. Before its row goes: afterwards the invitations name no sender.
create function private.revoke_invitations_of_account()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.project_invitations as i set status = 'revoked' where i.invited_by = old.id and i.status = 'pending';
  return old;
end
$$;
create trigger profiles_end_invitations before delete on public.profiles
for each row execute function private.revoke_invitations_of_account();

-- As before, with the locks in the order of everything else that concerns invitations: the project, then the invitation.
create or replace function private.accept_invitation(p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid;
  v_project_id uuid;
  v_invitation public.project_invitations;
  v_project public.projects;
  v_user auth.users;
  v_collaborator public.project_collaborators;
begin
  select u.* into v_user from auth.users as u where u.id = auth.uid();
  if v_user.id is null then
    perform private.refuse('forbidden', 'Only a person who is signed in can accept an invitation.');
  end if;
  select i.id, i.project_id into v_id, v_project_id
  from private.invitation_tokens as k
  join public.project_invitations as i on i.id = k.invitation_id
  where p_token_sha256 ~ '^[0-9a-f]{64}$' and k.token_hash = decode(p_token_sha256, 'hex');
  if v_id is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  select p.* into v_project from public.projects as p where p.id = v_project_id for no key update;
  -- Asked once more under the lock: the token may have been rotated, and the invitation accepted or revoked, meanwhile.
  select i.* into v_invitation
  from private.invitation_tokens as k
  join public.project_invitations as i on i.id = k.invitation_id
  where k.invitation_id = v_id and k.token_hash = decode(p_token_sha256, 'hex')
  for update of i;
  if v_invitation.id is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  if v_invitation.email is distinct from lower(v_user.email) then
    perform private.refuse('invitation_wrong_address', 'This invitation is for another e-mail address.');
  end if;
  if v_user.email_confirmed_at is null then
    perform private.refuse('email_not_verified', 'Confirm your e-mail address first.');
  end if;
  if v_invitation.status <> 'pending' then
    perform private.refuse('invitation_not_pending', format('This invitation was already %s.', v_invitation.status));
  end if;
  if v_invitation.expires_at <= now() then
    perform private.refuse('invitation_expired', 'This invitation has expired: ask for another.');
  end if;
  if v_project.status <> 'active' then
    perform private.refuse('project_not_active', format('The project is %s.', v_project.status));
  end if;
  if v_project.owner_id = v_user.id then
    perform private.refuse('already_a_member', 'You own this project.');
  end if;

  insert into public.project_collaborators (project_id, user_id, role)
  values (v_invitation.project_id, v_user.id, v_invitation.role)
  on conflict (project_id, user_id) do nothing
  returning * into v_collaborator;
  if v_collaborator.id is null then
    perform private.refuse('already_a_member', 'You are already a member of this project.');
  end if;
  update public.project_invitations as i
  set status = 'accepted', accepted_at = now(), accepted_by = v_user.id
  where i.id = v_invitation.id;
  return jsonb_build_object(
    'collaborator', to_jsonb(v_collaborator),
    'project', jsonb_build_object('id', v_project.id, 'name', v_project.name, 'description', v_project.description, 'status', v_project.status)
  );
end
$$;
