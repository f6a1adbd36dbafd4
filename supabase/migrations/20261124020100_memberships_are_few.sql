-- Whatever a person reads asks which projects they are in: with fifty thousand memberships it took half a minute, and each
-- further one writes all of them anew. One person accepts invitations until they are a member of five thousand projects.
-- Those that are deleted do not count, as nobody can leave them.

create or replace function private.accept_invitation(p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_per_person constant integer := 5000;
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
  -- The row of theirs among the readers is locked by now: of two acceptances of theirs the second one sees the first.
  if c_per_person < (
    select count(*) from private.collaborations as c where c.user_id = auth.uid() and c.project_status <> 'deleted'
  ) then
    perform private.refuse(
      'too_many_projects', format('One person is a member of at most %s projects of others: leave some.', c_per_person)
    );
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
