-- invite_collaborator and accept_invitation. The database never sees a token, only its sha256: whoever sends the mail
-- makes the token, and a caller who chooses a hash of their own gains nothing, because accepting also takes the
-- invited address, verified.

create function private.invitation_json(p_invitation public.project_invitations)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', p_invitation.id, 'project_id', p_invitation.project_id, 'email', p_invitation.email, 'role', p_invitation.role,
    'status', p_invitation.status, 'invited_by', p_invitation.invited_by, 'expires_at', p_invitation.expires_at,
    'created_at', p_invitation.created_at
  )
$$;

-- Inviting an address again replaces what was pending: the older link stops working. The answer is the same whether or
-- not the address has an account, or is already a member: accepting tells, and only its owner.
create function private.invite_collaborator(p_project_id uuid, p_email text, p_role text, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_per_hour constant integer := 50;
  v_email text := lower(btrim(p_email));
  v_invitation public.project_invitations;
  v_project public.projects;
begin
  perform private.require_role(p_project_id, 'owner');
  if p_role is null or p_role not in ('owner', 'editor', 'viewer') then
    perform private.refuse_field('role', 'must be owner, editor or viewer');
  end if;
  if v_email is null or v_email !~ '^[^@\s]+@[^@\s]+$' or char_length(v_email) > 320 then
    perform private.refuse_field('email', 'must be an e-mail address');
  end if;
  if p_token_sha256 is null or p_token_sha256 !~ '^[0-9a-f]{64}$' then
    perform private.refuse_field('token_sha256', 'must be 64 hexadecimal digits');
  end if;

  if exists (select from private.invitation_tokens as k where k.token_hash = decode(p_token_sha256, 'hex')) then
    perform private.refuse_field('token_sha256', 'must not have been used before');
  end if;

  -- The lock makes the count and the insert one step for this project.
  select p.* into v_project from public.projects as p where p.id = p_project_id for no key update;
  if (
    select count(*) from public.project_invitations as i
    where i.project_id = p_project_id and i.created_at > now() - interval '1 hour'
  ) >= c_per_hour then
    perform private.refuse(
      'too_many_invitations', format('A project can send %s invitations an hour.', c_per_hour), jsonb_build_object('retry_after_seconds', 3600)
    );
  end if;

  update public.project_invitations as i
  set status = 'revoked'
  where i.project_id = p_project_id and i.email = v_email and i.status = 'pending';
  insert into public.project_invitations (project_id, email, role, invited_by)
  values (p_project_id, v_email, p_role, auth.uid())
  returning * into v_invitation;
  insert into private.invitation_tokens (invitation_id, token_hash)
  values (v_invitation.id, decode(p_token_sha256, 'hex'));
  return jsonb_build_object(
    'invitation', private.invitation_json(v_invitation),
    'project', jsonb_build_object('id', v_project.id, 'name', v_project.name)
  );
end
$$;

create function private.accept_invitation(p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_invitation public.project_invitations;
  v_project public.projects;
  v_user auth.users;
  v_collaborator public.project_collaborators;
begin
  select u.* into v_user from auth.users as u where u.id = auth.uid();
  if v_user.id is null then
    perform private.refuse('forbidden', 'Only a person who is signed in can accept an invitation.');
  end if;
  select i.* into v_invitation
  from private.invitation_tokens as k
  join public.project_invitations as i on i.id = k.invitation_id
  where p_token_sha256 ~ '^[0-9a-f]{64}$' and k.token_hash = decode(p_token_sha256, 'hex')
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
  select p.* into v_project from public.projects as p where p.id = v_invitation.project_id for share;
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

-- The compensation for a mail that could not be sent: no invitation stays whose token nobody has. One that it replaced
-- stays revoked, as its holder was to get a new link.
create function private.withdraw_invitation(p_invitation_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
begin
  select i.project_id into v_project_id from public.project_invitations as i where i.id = p_invitation_id;
  if v_project_id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  perform private.require_role(v_project_id, 'owner');
  delete from public.project_invitations as i where i.id = p_invitation_id and i.status = 'pending';
  return jsonb_build_object('withdrawn', found);
end
$$;

create function public.invite_collaborator(project_id uuid, email text, role text, token_sha256 text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.invite_collaborator(
    invite_collaborator.project_id, invite_collaborator.email, invite_collaborator.role, invite_collaborator.token_sha256
  );
end
$$;

create function public.accept_invitation(token_sha256 text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.accept_invitation(accept_invitation.token_sha256);
end
$$;

create function public.withdraw_invitation(invitation_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.withdraw_invitation(withdraw_invitation.invitation_id);
end
$$;
grant execute on function
  private.invite_collaborator(uuid, text, text, text), public.invite_collaborator(uuid, text, text, text),
  private.accept_invitation(text), public.accept_invitation(text),
  private.withdraw_invitation(uuid), public.withdraw_invitation(uuid)
to authenticated, service_role;
