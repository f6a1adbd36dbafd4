-- The `storage` schema as a hosted project has it, so that migrations with buckets and policies run unchanged.
--
-- Source: the tenant migrations of supabase/storage up to its object versioning ones (autumn 2026: `prefixes` and
-- `objects.level` are gone, a name is unique per *current* version), and supabase/postgres for owners and grants.
-- Left out, because nothing here can reach them: Iceberg tables, lifecycle rules, the S3 listing functions.
-- Runs as a superuser after the roles exist; running it again changes nothing.

create schema if not exists storage;
grant usage on schema storage to postgres with grant option;
grant usage on schema storage to anon, authenticated, service_role;
grant all on schema storage to supabase_storage_admin with grant option;

-- Everything below belongs to the storage service's own role, as hosted.
set role supabase_storage_admin;

do $$
begin
  if to_regtype('storage.buckettype') is null then
    create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');
  end if;
end
$$;

-- Tables ---------------------------------------------------------------------------------------------------------------

create table if not exists storage.migrations (
  id integer primary key,
  name varchar(100) unique not null,
  hash varchar(40) not null,
  executed_at timestamp default current_timestamp
);

create table if not exists storage.buckets (
  id text primary key,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  type storage.buckettype not null default 'STANDARD',
  versioning_status text not null default 'DISABLED',
  lifecycle_configuration jsonb,
  lifecycle_configuration_generation uuid,
  constraint buckets_versioning_status_check check (versioning_status in ('DISABLED', 'ENABLED', 'SUSPENDED')),
  constraint buckets_versioning_standard_only_check check (type = 'STANDARD' or versioning_status = 'DISABLED')
);
comment on column storage.buckets.owner is 'Field is deprecated, use owner_id instead';
create unique index if not exists bname on storage.buckets (name);

create table if not exists storage.objects (
  id uuid not null default gen_random_uuid(),
  bucket_id text,
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb,
  archived_at timestamptz,
  is_delete_marker boolean not null default false,
  is_versioned boolean not null default false,
  signature bytea,
  constraint "objects_bucketId_fkey" foreign key (bucket_id) references storage.buckets (id)
);
-- The newest Storage drops the primary key and older ones have it: a migration that refers to it could not be pushed
-- everywhere. A database from before this line has it too.
alter table storage.objects drop constraint if exists objects_pkey;
alter table storage.objects add column if not exists signature bytea;
comment on column storage.objects.owner is 'Field is deprecated, use owner_id instead';
create index if not exists name_prefix_search on storage.objects (name text_pattern_ops);
create index if not exists idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
create index if not exists idx_objects_bucket_id_name_lower on storage.objects (bucket_id, lower(name) collate "C");
create unique index if not exists objects_bucket_id_name_version_key
  on storage.objects (bucket_id, name collate "C", version) nulls not distinct;
create unique index if not exists idx_objects_current_version
  on storage.objects (bucket_id, name collate "C") where archived_at is null;
create unique index if not exists idx_objects_null_version
  on storage.objects (bucket_id, name collate "C") where not is_versioned;

create table if not exists storage.s3_multipart_uploads (
  id text primary key,
  in_progress_size bigint not null default 0,
  upload_signature text not null,
  bucket_id text not null references storage.buckets (id),
  key text collate "C" not null,
  version text not null,
  owner_id text,
  created_at timestamptz not null default now(),
  user_metadata jsonb,
  metadata jsonb
);
create index if not exists idx_multipart_uploads_list on storage.s3_multipart_uploads (bucket_id, key, created_at);

create table if not exists storage.s3_multipart_uploads_parts (
  id uuid primary key default gen_random_uuid(),
  upload_id text not null references storage.s3_multipart_uploads (id) on delete cascade,
  size bigint not null default 0,
  part_number integer not null,
  bucket_id text not null references storage.buckets (id),
  key text collate "C" not null,
  etag text not null,
  owner_id text,
  version text not null,
  created_at timestamptz not null default now()
);

create table if not exists storage.buckets_analytics (
  name text not null,
  type storage.buckettype not null default 'ANALYTICS',
  format text not null default 'ICEBERG',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  id uuid primary key default gen_random_uuid(),
  deleted_at timestamptz
);
create unique index if not exists buckets_analytics_unique_name_idx
  on storage.buckets_analytics (name) where deleted_at is null;

create table if not exists storage.buckets_vectors (
  id text primary key,
  type storage.buckettype not null default 'VECTOR',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists storage.vector_indexes (
  id text primary key default gen_random_uuid(),
  name text collate "C" not null,
  bucket_id text not null references storage.buckets_vectors (id),
  data_type text not null,
  dimension integer not null,
  distance_metric text not null,
  metadata_configuration jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index if not exists vector_indexes_name_bucket_id_idx on storage.vector_indexes (name, bucket_id);

-- Row level security is on everywhere and there is no policy: what nobody granted is denied.
alter table storage.migrations enable row level security;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
alter table storage.s3_multipart_uploads enable row level security;
alter table storage.s3_multipart_uploads_parts enable row level security;
alter table storage.buckets_analytics enable row level security;
alter table storage.buckets_vectors enable row level security;
alter table storage.vector_indexes enable row level security;

grant all on storage.buckets, storage.objects to postgres with grant option;
grant all on storage.buckets, storage.objects, storage.buckets_analytics to anon, authenticated, service_role;
grant all on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to service_role;
grant select on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to anon, authenticated;
grant select on storage.buckets_vectors, storage.vector_indexes to anon, authenticated, service_role;

-- What policies are written with ---------------------------------------------------------------------------------------

-- These three are immutable on older projects and volatile on new ones: what needs the stronger promise must not pass.
create or replace function storage.foldername(name text) returns text[] language plpgsql as $$
declare
  v_parts text[] := string_to_array(name, '/');
begin
  return v_parts[1 : array_length(v_parts, 1) - 1];
end
$$;

create or replace function storage.filename(name text) returns text language plpgsql as $$
declare
  v_parts text[] := string_to_array(name, '/');
begin
  return v_parts[array_length(v_parts, 1)];
end
$$;

create or replace function storage.extension(name text) returns text language plpgsql as $$
begin
  return reverse(split_part(reverse(storage.filename(name)), '.', 1));
end
$$;

-- The API call that is being served, e.g. storage.object.upload; the Storage service sets it for each transaction.
create or replace function storage.operation() returns text language plpgsql stable as $$
begin
  return current_setting('storage.operation', true);
end
$$;

create or replace function storage.allow_any_operation(expected_operations text[]) returns boolean
language sql stable as $$
  select exists (
    select 1
    from unnest(expected_operations) as expected
    where expected <> ''
      and regexp_replace(storage.operation(), '^storage\.', '') = regexp_replace(expected, '^storage\.', '')
  )
$$;

create or replace function storage.allow_only_operation(expected_operation text) returns boolean
language sql stable as $$
  select storage.allow_any_operation(array[expected_operation])
$$;

create or replace function storage.can_insert_object(bucketid text, name text, owner uuid, metadata jsonb) returns void
language plpgsql as $$
begin
  insert into storage.objects (bucket_id, name, owner, metadata) values (bucketid, name, owner, metadata);
  -- Only the permission was asked for: the caller catches this and the row is gone again.
  raise sqlstate 'PT200' using message = 'ROLLBACK', detail = 'rollback successful insert';
end
$$;

-- Listing and sizes ----------------------------------------------------------------------------------------------------

create or replace function storage.get_size_by_bucket() returns table (size bigint, bucket_id text)
language plpgsql stable as $$
begin
  return query
    select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id
    from storage.objects as o
    group by o.bucket_id;
end
$$;

-- The part of a key up to and with the first delimiter after the prefix, null when there is none: its folder.
create or replace function storage.get_common_prefix(p_key text, p_prefix text, p_delimiter text) returns text
language sql immutable as $$
  select case
    when p_delimiter <> '' and position(p_delimiter in substr(p_key, length(p_prefix) + 1)) > 0
      then left(p_key, length(p_prefix) + position(p_delimiter in substr(p_key, length(p_prefix) + 1))
        + length(p_delimiter) - 1)
  end
$$;

-- One level below a prefix, letter case ignored: folders as entries without an id. By name folders and files are mixed,
-- by a date folders come first. The arguments about versions are accepted and have nothing to act on.
create or replace function storage.search(
  prefix text, bucketname text, limits integer default 100, levels integer default 1, offsets integer default 0,
  search text default '', sortcolumn text default 'name', sortorder text default 'asc',
  noncurrent_versions text default 'exclude', delete_markers text default 'exclude'
) returns table (
  name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb,
  version text, archived_at timestamptz, is_delete_marker boolean, is_versioned boolean
) language plpgsql stable as $$
declare
  v_prefix text := coalesce(prefix, '') || coalesce(search, '');
  v_column text := lower(coalesce(sortcolumn, 'name'));
  v_descending boolean := lower(coalesce(sortorder, 'asc')) <> 'asc';
begin
  if v_column not in ('updated_at', 'created_at', 'last_accessed_at') then
    v_column := 'name';
  end if;
  return query
    with matching as materialized (
      select o.*, rtrim(storage.get_common_prefix(o.name, v_prefix, '/'), '/') as folder
      from storage.objects as o
      where o.bucket_id = bucketname
        and lower(o.name) collate "C" ^@ lower(v_prefix)
        and o.archived_at is null
        and not o.is_delete_marker
    ), entries as (
      select min(m.folder) as path, min(m.folder) || '/' as sort_path, null::uuid as id, null::timestamptz as updated_at,
        null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata,
        null::text as version, null::boolean as is_delete_marker, null::boolean as is_versioned
      from matching as m
      where m.folder is not null
      group by lower(m.folder)
      union all
      select m.name, m.name, m.id, m.updated_at, m.created_at, m.last_accessed_at, m.metadata, m.version,
        m.is_delete_marker, m.is_versioned
      from matching as m
      where m.folder is null
    ), sortable as (
      select e.*, lower(e.sort_path) collate "C" as name_key, case v_column
        when 'updated_at' then e.updated_at
        when 'created_at' then e.created_at
        when 'last_accessed_at' then e.last_accessed_at
      end as date_key
      from entries as e
    )
    select substr(s.path, length(coalesce(prefix, '')) + 1), s.id, s.updated_at, s.created_at, s.last_accessed_at,
      s.metadata, s.version, null::timestamptz, s.is_delete_marker, s.is_versioned
    from sortable as s
    order by
      v_column <> 'name' and s.id is not null,
      case when not v_descending then s.date_key end,
      case when v_descending then s.date_key end desc,
      case when not v_descending then s.name_key end,
      case when v_descending then s.name_key end desc,
      s.sort_path collate "C"
    limit least(coalesce(limits, 100), 1500)
    offset coalesce(offsets, 0);
end
$$;

-- Triggers -------------------------------------------------------------------------------------------------------------

create or replace function storage.update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end
$$;
create or replace trigger update_objects_updated_at before update on storage.objects
  for each row execute function storage.update_updated_at_column();

create or replace function storage.enforce_bucket_name_length() returns trigger language plpgsql as $$
begin
  if length(new.name) > 100 then
    raise exception 'bucket name "%" is too long (% characters). Max is 100.', new.name, length(new.name);
  end if;
  return new;
end
$$;
create or replace trigger enforce_bucket_name_length_trigger before insert or update of name on storage.buckets
  for each row execute function storage.enforce_bucket_name_length();

-- A row deleted by SQL would leave its bytes behind for ever, so only the Storage service, which says so, may delete.
create or replace function storage.protect_delete() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using hint = 'This prevents accidental data loss from orphaned objects.', errcode = '42501';
  end if;
  return null;
end
$$;
create or replace trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();
create or replace trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();

reset role;
