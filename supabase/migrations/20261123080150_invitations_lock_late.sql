-- Whose address had changed while they waited for the project still accepted an invitation to the old one; and whoever knew
-- a token that opens nothing (any more), or nothing for them, waited for the project's lock, and held it. Both questions
-- are asked before the lock, and again under it.

create function private.require_open_invitation(p_invitation public.project_invitations)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_user auth.users;
begin
  if p_invitation.id is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  select u.* into v_user from auth.users as u where u.id = auth.uid();
  if p_invitation.email is distinct from lower(v_user.email) then
    perform private.refuse('invitation_wrong_address', 'This invitation is for another e-mail address.');
  end if;
  if v_user.email_confirmed_at is null then
    perform private.refuse('email_not_verified', 'Confirm your e-mail address first.');
  end if;
  if p_invitation.status <> 'pending' then
    perform private.refuse('invitation_not_pending', format('This invitation was already %s.', p_invitation.status));
  end if;
  if p_invitation.expires_at <= now() then
    perform private.refuse('invitation_expired', 'This invitation has expired: ask for another.');
  end if;
end
$$;
revoke execute on function private.require_open_invitation(public.project_invitations)
from public, anon, authenticated, service_role;

create or replace function private.accept_invitation(p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_invitation public.project_invitations;
  v_project public.projects;
  v_collaborator public.project_collaborators;
begin
  if not exists (select from auth.users as u where u.id = auth.uid()) then
    perform private.refuse('forbidden', 'Only a person who is signed in can accept an invitation.');
  end if;
  select i.* into v_invitation
  from private.invitation_tokens as k
  join public.project_invitations as i on i.id = k.invitation_id
  where p_token_sha256 ~ '^[0-9a-f]{64}$' and k.token_hash = decode(p_token_sha256, 'hex');
  perform private.require_open_invitation(v_invitation);
  select p.* into v_project from public.projects as p where p.id = v_invitation.project_id for no key update;
  -- Asked once more under the lock: the token may have been rotated, and the invitation accepted or revoked, meanwhile.
  select i.* into v_invitation
  from private.invitation_tokens as k
  join public.project_invitations as i on i.id = k.invitation_id
  where k.invitation_id = v_invitation.id and k.token_hash = decode(p_token_sha256, 'hex')
  for update of i;
  perform private.require_open_invitation(v_invitation);
  if v_project.status <> 'active' then
    perform private.refuse('project_not_active', format('The project is %s.', v_project.status));
  end if;
  if v_project.owner_id = auth.uid() then
    perform private.refuse('already_a_member', 'You own this project.');
  end if;

  insert into public.project_collaborators (project_id, user_id, role)
  values (v_invitation.project_id, auth.uid(), v_invitation.role)
  on conflict (project_id, user_id) do nothing
  returning * into v_collaborator;
  if v_collaborator.id is null then
    perform private.refuse('already_a_member', 'You are already a member of this project.');
  end if;
  update public.project_invitations as i
  set status = 'accepted', accepted_at = now(), accepted_by = auth.uid()
  where i.id = v_invitation.id;
  return jsonb_build_object(
    'collaborator', to_jsonb(v_collaborator),
    'project', jsonb_build_object('id', v_project.id, 'name', v_project.name, 'description', v_project.description, 'status', v_project.status)
  );
end
$$;
