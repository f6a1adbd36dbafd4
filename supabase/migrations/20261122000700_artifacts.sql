-- Code artifacts: immutable versions of a path in a project. Numbers are gapless per path, the head is the active row,
-- and nothing but `is_active` ever changes on a saved version. Written by operations only.

-- What a path may look like, in one place: relative, normalised, without dot segments, also where these hide behind
-- look-alikes (full-width dots and slashes), and without characters nobody sees (controls, zero-width, direction marks).
create function private.is_artifact_path(p_path text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select octet_length(p_path) between 1 and 1024
    and p_path is nfc normalized
    and p_path !~ '[[:cntrl:]\\\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]'
    and p_path !~ '[\u2044\u2215\u29F5\u29F8\u2216\uFE68\uFF0F\uFF3C]'
    -- A joiner belongs inside an emoji or a word that needs it, never beside Latin letters and dots.
    and p_path !~ '(^|[\u0001-\u00FF])[\u200C\u200D]|[\u200C\u200D]([\u0001-\u00FF]|$)'
    and normalize(p_path, nfkc) !~ '(^|/)\.{0,2}(/|$)'
$$;

create function private.artifact_path_rule()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'must be relative and normalised: at most 1024 bytes, no empty, "." or ".." part, no backslash, no look-alike of these, no invisible character'
$$;

-- Immutable in a UTF-8 database, which convert_to cannot know of itself.
create function private.sha256_hex(p_text text)
returns text
language sql
immutable
set search_path = ''
as $$
  select encode(sha256(convert_to(p_text, 'UTF8')), 'hex')
$$;

create table public.code_artifacts (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  task_id uuid references public.agent_tasks (id) on delete set null,
  name text not null,
  file_path text not null,
  language text,
  content text not null,
  content_sha256 text not null generated always as (private.sha256_hex(content)) stored,
  type text not null default 'file',
  version integer not null default 1,
  is_active boolean not null default true,
  metadata jsonb not null default '{}',
  created_by uuid references public.profiles (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint code_artifacts_type_is_known check (type in ('file', 'component', 'snippet')),
  constraint code_artifacts_version_counts_from_one check (version >= 1),
  constraint code_artifacts_path_is_normal check (private.is_artifact_path(file_path)),
  constraint code_artifacts_name_has_text check (char_length(btrim(name)) between 1 and 255),
  constraint code_artifacts_language_is_short check (char_length(language) <= 100),
  constraint code_artifacts_content_is_small check (octet_length(content) <= 1048576),
  constraint code_artifacts_metadata_is_an_object check (jsonb_typeof(metadata) = 'object'),
  constraint code_artifacts_one_row_per_version unique (project_id, file_path, version)
);
create unique index code_artifacts_one_head_per_path on public.code_artifacts (project_id, file_path) where is_active;
create index idx_code_artifacts_project_id on public.code_artifacts (project_id, created_at desc);
create index idx_code_artifacts_task_id on public.code_artifacts (task_id);
create index idx_code_artifacts_created_by on public.code_artifacts (created_by);

revoke all on public.code_artifacts from anon, authenticated, service_role;
grant select on public.code_artifacts to authenticated, service_role;
alter table public.code_artifacts enable row level security;

create trigger code_artifacts_set_updated_at before update on public.code_artifacts
for each row execute function private.set_updated_at();

create policy "members can read artifacts" on public.code_artifacts
for select to authenticated
using (project_id in (select private.project_ids('reader')));
