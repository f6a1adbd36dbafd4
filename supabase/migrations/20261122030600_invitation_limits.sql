-- How many invitations may go out: 50 an hour from a project and 200 an hour from a person, whatever becomes of them
-- afterwards. Counted in a table of its own, because an invitation that is withdrawn or deleted with its project has
-- still been mailed to somebody.

create table private.invitation_mails (
  id bigint generated always as identity primary key,
  -- No foreign keys: the count outlives what it counts.
  project_id uuid not null,
  sent_by uuid,
  sent_at timestamptz not null default now()
);
create index invitation_mails_by_project on private.invitation_mails (project_id, sent_at);
create index invitation_mails_by_person on private.invitation_mails (sent_by, sent_at);

-- Counts one mail, or refuses it. The caller holds the project's lock, which makes count and insert one step for the
-- project; the advisory lock does the same for the person.
create function private.count_invitation_mail(p_project_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  c_per_project constant integer := 50;
  c_per_person constant integer := 200;
  v_hour_ago timestamptz := now() - interval '1 hour';
  v_oldest timestamptz;
begin
  if auth.uid() is not null then
    perform pg_advisory_xact_lock(hashtextextended('invitations:' || auth.uid(), 0));
  end if;
  delete from private.invitation_mails as m
  where (m.project_id = p_project_id or m.sent_by = auth.uid()) and m.sent_at <= v_hour_ago;

  select min(m.sent_at) into v_oldest
  from private.invitation_mails as m where m.project_id = p_project_id and m.sent_at > v_hour_ago having count(*) >= c_per_project;
  if v_oldest is null then
    select min(m.sent_at) into v_oldest
    from private.invitation_mails as m where m.sent_by = auth.uid() and m.sent_at > v_hour_ago having count(*) >= c_per_person;
  end if;
  if v_oldest is not null then
    perform private.refuse(
      'too_many_invitations',
      format('At most %s invitations an hour go out from a project, and %s from a person.', c_per_project, c_per_person),
      jsonb_build_object('retry_after_seconds', greatest(1, ceil(extract(epoch from v_oldest - v_hour_ago))::integer))
    );
  end if;
  insert into private.invitation_mails (project_id, sent_by) values (p_project_id, auth.uid());
end
$$;

-- What every mail of an invitation starts with: the role, before and after waiting for the project's lock. Everything
-- that changes invitations takes that lock first, so nobody deadlocks, and an owner who is removed meanwhile is seen.
create function private.begin_invitation_mail(p_project_id uuid, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_project public.projects;
begin
  perform private.require_role(p_project_id, 'owner');
  if p_token_sha256 is null or p_token_sha256 !~ '^[0-9a-f]{64}$' then
    perform private.refuse_field('token_sha256', 'must be 64 hexadecimal digits');
  end if;
  select p.* into v_project from public.projects as p where p.id = p_project_id for no key update;
  perform private.require_role(p_project_id, 'owner');
  if exists (select from private.invitation_tokens as k where k.token_hash = decode(p_token_sha256, 'hex')) then
    perform private.refuse_field('token_sha256', 'must not have been used before');
  end if;
  perform private.count_invitation_mail(p_project_id);
  return jsonb_build_object('id', v_project.id, 'name', v_project.name);
end
$$;

-- As before, with the limits above. The answer is the same whether or not the address has an account or is a member, and
-- nothing on the way here looks at that: accepting tells, and only the address's owner.
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
  if v_email is null or v_email !~ '^[^@\s]+@[^@\s]+$' or char_length(v_email) > 320 then
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
