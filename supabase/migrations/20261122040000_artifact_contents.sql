-- Artifact contents: the text of every distinct content of a project, stored once, however many versions and paths
-- have it.
-- Why `content` is a computed field now and no longer a column: a column can only hold a copy per row, a view cannot be
-- published to Realtime, and one that is filled on some rows only would answer null without saying why. So it is asked
-- for by name: `select("*, content")`, `select("id, content")`. `select("*")` lists versions without their text.
-- Why once per project and not once for all: a shared row would outlive the project it came from, or tell one project
-- what another has. This way contents go when their project goes, and no sweep is needed.

create table private.artifact_contents (
  project_id uuid not null references public.projects (id) on delete cascade,
  sha256 text not null,
  content text not null,
  primary key (project_id, sha256),
  constraint artifact_contents_content_is_small check (octet_length(content) <= 1048576)
);

insert into private.artifact_contents (project_id, sha256, content)
select distinct on (a.project_id, a.content_sha256) a.project_id, a.content_sha256, a.content
from public.code_artifacts as a
order by a.project_id, a.content_sha256;

-- Generated at first, so that the rows there are get their value without being updated.
alter table public.code_artifacts
add column content_bytes integer generated always as (octet_length(content)) stored,
add column is_deleted boolean not null default false,
add column restored_from integer;

alter table public.code_artifacts
alter column content_bytes drop expression,
alter column content_sha256 drop expression,
alter column content_sha256 drop not null,
drop column content;

-- A deletion is a version without content, and never the active one: lists of active artifacts show files that exist.
alter table public.code_artifacts
add constraint code_artifacts_only_deletions_lack_content
check (is_deleted = (content_sha256 is null) and is_deleted = (content_bytes is null)),
add constraint code_artifacts_deletion_is_not_active check (not (is_deleted and is_active)),
add constraint code_artifacts_restored_from_is_older check (restored_from between 1 and version - 1),
-- Checked at the end of a transaction, so that a project can take both along in any order.
add constraint code_artifacts_content_is_stored foreign key (project_id, content_sha256)
references private.artifact_contents (project_id, sha256) deferrable initially deferred;
create index code_artifacts_of_content on public.code_artifacts (project_id, content_sha256);

-- It looks the version up again instead of believing the row it was given: a made-up row must not open a content.
create function private.artifact_content(p_artifact_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_artifact public.code_artifacts;
begin
  select a.* into v_artifact from public.code_artifacts as a where a.id = p_artifact_id;
  if private.role_in_project(v_artifact.project_id) is null and not private.is_admin() then
    return null;
  end if;
  return (
    select c.content from private.artifact_contents as c
    where c.project_id = v_artifact.project_id and c.sha256 = v_artifact.content_sha256
  );
end
$$;

create function public.content(public.code_artifacts)
returns text
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.artifact_content($1.id);
end
$$;
comment on function public.content is 'The text of an artifact: a computed field of code_artifacts, null for a deletion.';
grant execute on function private.artifact_content(uuid) to authenticated, service_role;
grant execute on function public.content(public.code_artifacts) to authenticated, service_role;
