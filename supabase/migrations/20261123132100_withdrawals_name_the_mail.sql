-- An invitation whose mail could not go out is withdrawn with the token of that mail, and stays where it was sent again since
-- with another: of two requests to send it one may fail when the other's mail is on its way.

drop function public.withdraw_invitation(uuid);
drop function private.withdraw_invitation(uuid);

create function private.withdraw_invitation(p_invitation_id uuid, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid := private.invitation_project(p_invitation_id);
  v_is_withdrawn boolean;
begin
  perform private.ask_role(v_project_id, 'owner');
  -- The project before its invitations, like who deletes it.
  perform private.hold_project_status(v_project_id);
  -- Who is just sending it again comes first: the token is looked at only then.
  perform 1 from public.project_invitations as i where i.id = p_invitation_id for update;
  delete from public.project_invitations as i
  where i.id = p_invitation_id and i.status = 'pending' and (
    p_token_sha256 is null
    or exists (
      select from private.invitation_tokens as k where k.invitation_id = i.id and encode(k.token_hash, 'hex') = p_token_sha256
    )
  );
  v_is_withdrawn := found;
  if private.role_in_project(v_project_id) is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  perform private.require_role(v_project_id, 'owner');
  return jsonb_build_object('withdrawn', v_is_withdrawn);
end
$$;

create function public.withdraw_invitation(invitation_id uuid, token_sha256 text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.withdraw_invitation(withdraw_invitation.invitation_id, withdraw_invitation.token_sha256);
end
$$;

grant execute on function private.withdraw_invitation(uuid, text), public.withdraw_invitation(uuid, text)
to authenticated, service_role;
