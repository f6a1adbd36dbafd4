-- Shares: links that let anyone who has one download a file. The token is given out once and only its hash stays here,
-- apart from the table that members read. A share goes with its file, and with the account of who made it.

create table public.file_shares (
  id uuid primary key default gen_random_uuid(),
  file_id uuid not null references public.file_storage (id) on delete cascade,
  project_id uuid not null references public.projects (id) on delete cascade,
  created_by uuid references public.profiles (id) on delete cascade,
  expires_at timestamptz not null,
  max_downloads integer,
  downloads integer not null default 0,
  last_download_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  constraint file_shares_max_downloads_counts_from_one check (max_downloads >= 1),
  constraint file_shares_downloads_stay_within_the_limit check (downloads >= 0 and downloads <= coalesce(max_downloads, downloads)),
  constraint file_shares_expire_within_a_month check (expires_at <= created_at + interval '31 days')
);
comment on column public.file_shares.created_by is 'Null: a worker made it.';
create index file_shares_file_id on public.file_shares (file_id, created_at desc);
create index file_shares_project_id on public.file_shares (project_id);
create index file_shares_created_by on public.file_shares (created_by);

create table private.file_share_tokens (
  share_id uuid primary key references public.file_shares (id) on delete cascade,
  token_hash bytea not null unique
);

revoke all on public.file_shares from anon, authenticated, service_role;
grant select on public.file_shares to authenticated, service_role;
alter table public.file_shares enable row level security;

create policy "members can read which files are shared" on public.file_shares
for select to authenticated
using (project_id in (select private.project_ids('reader')));
