-- Invitations: how people come into a project. The token leaves in an e-mail and only its hash stays here; it opens the
-- project for the invited, verified address alone, once, for seven days.

create table public.project_invitations (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  email text not null,
  role text not null default 'viewer',
  status text not null default 'pending',
  invited_by uuid references public.profiles (id) on delete set null,
  accepted_by uuid references public.profiles (id) on delete set null,
  expires_at timestamptz not null default now() + interval '7 days',
  accepted_at timestamptz,
  created_at timestamptz not null default now(),
  constraint project_invitations_role_is_known check (role in ('owner', 'editor', 'viewer')),
  constraint project_invitations_status_is_known check (status in ('pending', 'accepted', 'revoked')),
  constraint project_invitations_email_is_lower_case check (email = lower(email) and email ~ '^[^@\s]+@[^@\s]+$'),
  constraint project_invitations_email_is_short check (char_length(email) <= 320),
  constraint project_invitations_accepted_has_a_time check ((status = 'accepted') = (accepted_at is not null))
);
create unique index project_invitations_one_pending_per_address
on public.project_invitations (project_id, email) where status = 'pending';
create index project_invitations_project_id on public.project_invitations (project_id, created_at desc);
create index project_invitations_invited_by on public.project_invitations (invited_by);
create index project_invitations_accepted_by on public.project_invitations (accepted_by);

-- The hash is kept out of the table that owners read.
create table private.invitation_tokens (
  invitation_id uuid primary key references public.project_invitations (id) on delete cascade,
  token_hash bytea not null unique
);

revoke all on public.project_invitations from anon, authenticated, service_role;
grant select on public.project_invitations to authenticated, service_role;
alter table public.project_invitations enable row level security;

create policy "owners can read the invitations of their projects, admins all" on public.project_invitations
for select to authenticated
using (project_id in (select private.project_ids('owner')) or (select private.is_admin()));
