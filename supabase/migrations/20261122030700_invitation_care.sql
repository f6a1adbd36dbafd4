-- resend_invitation, revoke_invitation and list_invitations: what an owner does with invitations that are out. A re-send
-- rotates the token and starts its seven days anew.

-- The project of an invitation, for those who may know of it: who is in the project is told their role's rights, all
-- others that there is nothing.
create function private.invitation_project(p_invitation_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  v_project_id uuid;
begin
  select i.project_id into v_project_id from public.project_invitations as i where i.id = p_invitation_id;
  if v_project_id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  return v_project_id;
end
$$;

create function private.resend_invitation(p_invitation_id uuid, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_invitation public.project_invitations;
  v_project jsonb := private.begin_invitation_mail(private.invitation_project(p_invitation_id), p_token_sha256);
begin
  update public.project_invitations as i
  set expires_at = now() + interval '7 days', invited_by = auth.uid()
  where i.id = p_invitation_id and i.status = 'pending'
  returning i.* into v_invitation;
  if v_invitation.id is null then
    perform private.refuse('invitation_not_pending', 'This invitation was already accepted or revoked: invite again.');
  end if;
  update private.invitation_tokens as k set token_hash = decode(p_token_sha256, 'hex') where k.invitation_id = p_invitation_id;
  return jsonb_build_object('invitation', private.invitation_json(v_invitation), 'project', v_project);
end
$$;

-- Taking a way in back is possible in every state of the project, like removing a collaborator.
create function private.revoke_invitation(p_invitation_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid := private.invitation_project(p_invitation_id);
  v_invitation public.project_invitations;
begin
  if private.role_in_project(v_project_id) <> 'owner' then
    perform private.refuse('forbidden', 'This needs the role owner in the project.');
  end if;
  perform 1 from public.projects as p where p.id = v_project_id for no key update;
  update public.project_invitations as i set status = 'revoked'
  where i.id = p_invitation_id and i.status = 'pending'
  returning i.* into v_invitation;
  if v_invitation.id is null then
    perform private.refuse('invitation_not_pending', 'This invitation was already accepted or revoked.');
  end if;
  return jsonb_build_object('invitation', private.invitation_json(v_invitation));
end
$$;

-- Newest first; what is older than the newest 500 can be read from the table.
create function private.list_invitations(p_project_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  -- An admin reads, as everywhere; an editor or viewer has no business with other people's addresses.
  if private.role_in_project(p_project_id) is distinct from 'owner' and not private.is_admin() then
    perform private.require_role(p_project_id, 'viewer');
    perform private.refuse('forbidden', 'This needs the role owner in the project.');
  end if;
  return jsonb_build_object('invitations', (
    select coalesce(jsonb_agg(private.invitation_json(i) order by i.created_at desc, i.id), '[]')
    from (
      select * from public.project_invitations as i where i.project_id = p_project_id order by i.created_at desc, i.id limit 500
    ) as i
  ));
end
$$;

create function public.resend_invitation(invitation_id uuid, token_sha256 text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.resend_invitation(resend_invitation.invitation_id, resend_invitation.token_sha256);
end
$$;

create function public.revoke_invitation(invitation_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.revoke_invitation(revoke_invitation.invitation_id);
end
$$;

create function public.list_invitations(project_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.list_invitations(list_invitations.project_id);
end
$$;
grant execute on function
  private.resend_invitation(uuid, text), public.resend_invitation(uuid, text),
  private.revoke_invitation(uuid), public.revoke_invitation(uuid),
  private.list_invitations(uuid), public.list_invitations(uuid)
to authenticated, service_role;
