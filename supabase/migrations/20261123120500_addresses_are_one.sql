-- Whoever calls the door of the database itself could invite `a,b@example.com` or `x<somebody@example.com>`, which the function
-- refuses, and have it mailed by sending the invitation again: whom that reaches is up to what carries the mail.

create or replace function private.invite_collaborator(p_project_id uuid, p_email text, p_role text, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_email text := lower(btrim(p_email));
  v_invitation public.project_invitations;
  v_project jsonb;
begin
  perform private.require_role(p_project_id, 'owner');
  if p_role is null or p_role not in ('owner', 'editor', 'viewer') then
    perform private.refuse_field('role', 'must be owner, editor or viewer');
  end if;
  if v_email is null or char_length(v_email) > 320 or v_email !~ '^[^@\s]+@[^@\s]+$'
    -- What carries the mail would read these as a list, a group or a name beside an address, and nobody could see the others.
    or v_email ~ '[[:cntrl:]<>(),;:"\[\]\\]' or private.without_unseen(v_email) <> v_email
  then
    perform private.refuse_field('email', 'must be an e-mail address');
  end if;
  v_project := private.begin_invitation_mail(p_project_id, p_token_sha256);

  update public.project_invitations as i
  set status = 'revoked'
  where i.project_id = p_project_id and i.email = v_email and i.status = 'pending';
  insert into public.project_invitations (project_id, email, role, invited_by)
  values (p_project_id, v_email, p_role, auth.uid())
  returning * into v_invitation;
  insert into private.invitation_tokens (invitation_id, token_hash)
  values (v_invitation.id, decode(p_token_sha256, 'hex'));
  return jsonb_build_object('invitation', private.invitation_json(v_invitation), 'project', v_project);
end
$$;
