-- Files: one row of file_storage beside each object of the private bucket genesis-files. An object's name starts with
-- its project's id, which is what the bucket's policies go by; rows are written by the upload operations only.

create table public.file_storage (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  bucket_name text not null default 'genesis-files',
  file_path text not null,
  file_name text not null,
  file_size bigint,
  mime_type text,
  public_url text,
  sha256 text,
  status text not null default 'pending',
  metadata jsonb not null default '{}',
  uploaded_by uuid references public.profiles (id) on delete set null,
  created_at timestamptz not null default now(),
  constraint file_storage_status_is_known check (status in ('pending', 'ready')),
  constraint file_storage_ready_is_measured check (status = 'pending' or (file_size is not null and mime_type is not null)),
  constraint file_storage_size_is_a_count check (file_size >= 0),
  constraint file_storage_sha256_is_hex check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint file_storage_name_has_text check (char_length(btrim(file_name)) between 1 and 255),
  constraint file_storage_path_is_in_the_project check (starts_with(file_path, project_id::text || '/')),
  constraint file_storage_metadata_is_an_object check (jsonb_typeof(metadata) = 'object'),
  constraint file_storage_one_row_per_object unique (bucket_name, file_path)
);
create index idx_file_storage_project_id on public.file_storage (project_id, created_at desc);
create index idx_file_storage_uploaded_by on public.file_storage (uploaded_by);
create index file_storage_pending on public.file_storage (created_at) where status = 'pending';

revoke all on public.file_storage from anon, authenticated, service_role;
grant select on public.file_storage to authenticated, service_role;
alter table public.file_storage enable row level security;

-- An upload under way is its uploader's own affair: the others see the file when it is there.
create policy "members can read files" on public.file_storage
for select to authenticated
using (
  project_id in (select private.project_ids('reader'))
  and (status = 'ready' or uploaded_by = (select auth.uid()))
);

-- Size and types stand here and in config.toml's [storage.buckets]; a repository test compares them.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('genesis-files', 'genesis-files', false, 52428800, null)
on conflict (id) do nothing;

-- Compared as text: a first folder that is no UUID matches nothing, where a cast would raise.
create policy "members can read the files of their projects" on storage.objects
for select to authenticated
using (
  bucket_id = 'genesis-files'
  and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('reader') as p (id))
);

create policy "editors can upload files to their projects" on storage.objects
for insert to authenticated
with check (
  bucket_id = 'genesis-files'
  and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('editor') as p (id))
);

-- What someone put straight into the bucket they may replace and move. An object that a row of file_storage stands for
-- was measured and hashed, and stays as it is.
create policy "editors can replace and move what they put into the bucket" on storage.objects
for update to authenticated
using (
  bucket_id = 'genesis-files'
  and owner_id = (select auth.uid())::text
  and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('editor') as p (id))
  and not exists (select from public.file_storage as f where f.bucket_name = bucket_id and f.file_path = name)
)
with check (
  bucket_id = 'genesis-files'
  and owner_id = (select auth.uid())::text
  and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('editor') as p (id))
  and not exists (select from public.file_storage as f where f.bucket_name = bucket_id and f.file_path = name)
);

create policy "editors can delete the files they uploaded, owners all" on storage.objects
for delete to authenticated
using (
  bucket_id = 'genesis-files'
  and (
    (
      owner_id = (select auth.uid())::text
      and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('editor') as p (id))
    )
    or (storage.foldername(name))[1] in (select p.id::text from private.project_ids('owner') as p (id))
  )
);
