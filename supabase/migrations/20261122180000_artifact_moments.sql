-- What one transaction writes to a project's files belongs to one moment, and moments are in the order of the commits:
-- each is later than all before it, and none is taken before its predecessor has committed. So whoever sees a moment sees
-- all before it, for good, and a snapshot is a prefix of what was committed.

create table private.artifact_moments (
  project_id uuid primary key references public.projects (id) on delete cascade,
  transaction_id xid8 not null,
  at timestamptz not null
);
comment on table private.artifact_moments is 'When a project''s files were last written, and by which transaction.';

-- In whole milliseconds, so that a program whose dates know no finer ones asks for this very moment again.
insert into private.artifact_moments (project_id, transaction_id, at)
select a.project_id, pg_current_xact_id(), date_trunc('milliseconds', max(a.created_at) + interval '999 microseconds')
from public.code_artifacts as a
group by a.project_id;

-- The moment of the versions that this transaction adds. The caller holds the project's files; a transaction whose
-- snapshot is older than the last moment fails here instead of writing from it.
create function private.artifact_moment(p_project_id uuid)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_at timestamptz;
begin
  -- A restored database counts its transactions anew, so the number alone would not do.
  select m.at into v_at
  from private.artifact_moments as m
  where m.project_id = p_project_id and m.transaction_id = pg_current_xact_id_if_assigned()
    and m.at >= date_trunc('milliseconds', now());
  if v_at is null then
    insert into private.artifact_moments as m (project_id, transaction_id, at)
    select
      p.id, pg_current_xact_id(),
      greatest(
        date_trunc('milliseconds', clock_timestamp()), date_trunc('milliseconds', p.created_at) + interval '1 millisecond'
      )
    from public.projects as p
    where p.id = p_project_id
    -- Before the moment's row: whoever deletes the project takes them in this order.
    for key share of p
    on conflict (project_id) do update
    set transaction_id = excluded.transaction_id, at = greatest(excluded.at, m.at + interval '1 millisecond')
    returning m.at into v_at;
  end if;
  return v_at;
end
$$;

-- Writers of a project's files take turns until they have committed. Whoever writes to several projects takes them here,
-- at once and in one order; a report after its executions and before all rows.
create function private.lock_artifacts(p_project_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(k.key)
  from (
    select distinct hashtextextended(format('artifacts:%s', u.id), 0) as key
    from unnest(p_project_ids) as u (id)
    order by key
  ) as k;
end
$$;

create function private.brings_artifacts(p_artifacts jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(p_artifacts, 'null') not in ('null', '[]');
end
$$;

-- Adds a version after the latest. The caller holds the project's files; `p_version` says what the version has, except
-- its number and its moment.
create or replace function private.add_artifact_version(p_latest public.code_artifacts, p_version public.code_artifacts)
returns public.code_artifacts
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_saved public.code_artifacts;
begin
  if p_latest.is_active then
    update public.code_artifacts as a set is_active = false where a.id = p_latest.id;
  end if;
  insert into public.code_artifacts (
    project_id, task_id, name, file_path, language, type, version, is_active, is_deleted, restored_from, metadata,
    content_sha256, content_bytes, created_by, created_at
  )
  values (
    p_version.project_id, p_version.task_id, p_version.name, p_version.file_path, p_version.language, p_version.type,
    coalesce(p_latest.version, 0) + 1, p_version.content_sha256 is not null, p_version.content_sha256 is null,
    p_version.restored_from, p_version.metadata, p_version.content_sha256, p_version.content_bytes, auth.uid(),
    private.artifact_moment(p_version.project_id)
  )
  returning * into v_saved;
  return v_saved;
end
$$;

create or replace function private.save_artifact(
  p_project_id uuid, p_file_path text, p_content text, p_name text, p_language text, p_type text, p_task_id uuid,
  p_metadata jsonb, p_base_version integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_path text := normalize(p_file_path, nfc);
  v_latest public.code_artifacts;
  v_new public.code_artifacts;
begin
  if v_path is null or not private.is_artifact_path(v_path) then
    perform private.refuse_field('file_path', private.artifact_path_rule());
  end if;
  if p_content is null then
    perform private.refuse_field('content', 'is missing');
  end if;
  if octet_length(p_content) > 1048576 then
    perform private.refuse('payload_too_large', 'An artifact has at most 1 MiB of text.');
  end if;
  if coalesce(p_type, 'file') not in ('file', 'component', 'snippet') then
    perform private.refuse_field('type', 'must be file, component or snippet');
  end if;
  if char_length(btrim(p_name)) not between 1 and 255 then
    perform private.refuse_field('name', 'must have 1 to 255 characters');
  end if;
  if char_length(p_language) > 100 then
    perform private.refuse_field('language', 'must have at most 100 characters');
  end if;
  if jsonb_typeof(coalesce(p_metadata, '{}')) <> 'object' then
    perform private.refuse_field('metadata', 'must be an object');
  end if;
  perform private.require_task_of_project(p_task_id, p_project_id);

  perform private.lock_artifacts(array[p_project_id]);
  v_latest := private.latest_artifact(p_project_id, v_path);
  perform private.require_base_version(v_latest, v_path, p_base_version);

  v_new.project_id := p_project_id;
  v_new.task_id := p_task_id;
  v_new.name := coalesce(p_name, v_latest.name, left(regexp_replace(v_path, '^.*/', ''), 255));
  v_new.file_path := v_path;
  v_new.language := coalesce(p_language, v_latest.language);
  v_new.type := coalesce(p_type, v_latest.type, 'file');
  v_new.metadata := coalesce(p_metadata, '{}');
  v_new.content_sha256 := private.sha256_hex(p_content);
  v_new.content_bytes := octet_length(p_content);

  if v_latest.is_active and v_latest.content_sha256 = v_new.content_sha256
    and (v_latest.name, v_latest.type, v_latest.language) is not distinct from (v_new.name, v_new.type, v_new.language)
    and v_latest.metadata = coalesce(p_metadata, v_latest.metadata)
  then
    return jsonb_build_object(
      'artifact', private.artifact_json(v_latest, p_content), 'merged', false, 'unchanged', true
    );
  end if;

  insert into private.artifact_contents (project_id, sha256, content)
  values (p_project_id, v_new.content_sha256, p_content)
  on conflict do nothing;
  v_new := private.add_artifact_version(v_latest, v_new);
  return jsonb_build_object('artifact', private.artifact_json(v_new, p_content), 'merged', false, 'unchanged', false);
end
$$;

create or replace function private.delete_artifact(p_project_id uuid, p_file_path text, p_task_id uuid, p_base_version integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_path text := normalize(p_file_path, nfc);
  v_latest public.code_artifacts;
  v_new public.code_artifacts;
begin
  perform private.require_task_of_project(p_task_id, p_project_id);
  perform private.lock_artifacts(array[p_project_id]);
  v_latest := private.latest_artifact(p_project_id, v_path);
  if v_latest.id is null then
    perform private.refuse('artifact_not_found', 'There is no such file in this project.');
  end if;
  if v_latest.is_deleted then
    return jsonb_build_object('artifact', to_jsonb(v_latest), 'unchanged', true);
  end if;
  perform private.require_base_version(v_latest, v_path, p_base_version);
  v_new := v_latest;
  v_new.task_id := p_task_id;
  v_new.restored_from := null;
  v_new.metadata := '{}';
  v_new.content_sha256 := null;
  v_new.content_bytes := null;
  v_new := private.add_artifact_version(v_latest, v_new);
  return jsonb_build_object('artifact', to_jsonb(v_new), 'unchanged', false);
end
$$;

create or replace function private.restore_artifact(p_artifact_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_old public.code_artifacts;
  v_latest public.code_artifacts;
begin
  select a.* into v_old from public.code_artifacts as a where a.id = p_artifact_id;
  if v_old.id is null or private.role_in_project(v_old.project_id) is null then
    perform private.refuse('artifact_not_found', 'There is no such artifact, or you are not a member of its project.');
  end if;
  perform private.require_role(v_old.project_id, 'editor');
  if v_old.is_deleted then
    perform private.refuse_field('artifact_id', 'is a deletion, which has nothing to restore');
  end if;

  perform private.lock_artifacts(array[v_old.project_id]);
  v_latest := private.latest_artifact(v_old.project_id, v_old.file_path);
  if v_latest.is_active and v_latest.content_sha256 = v_old.content_sha256 and v_latest.metadata = v_old.metadata
    and (v_latest.name, v_latest.type, v_latest.language) is not distinct from (v_old.name, v_old.type, v_old.language)
  then
    return jsonb_build_object(
      'artifact', private.artifact_json(v_latest, private.artifact_content(v_latest.id)), 'unchanged', true
    );
  end if;
  v_old.task_id := null;
  v_old.restored_from := v_old.version;
  v_old := private.add_artifact_version(v_latest, v_old);
  return jsonb_build_object(
    'artifact', private.artifact_json(v_old, private.artifact_content(v_old.id)), 'unchanged', false
  );
end
$$;

-- For several reports in one transaction, as complete_tasks takes them.
create or replace function private.lock_batch_artifacts(p_results jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.lock_artifacts(
    array(
      select t.project_id
      from jsonb_array_elements(p_results) as r
      join public.agent_tasks as t
      on t.id = case when pg_input_is_valid(r.value ->> 'task_id', 'uuid') then (r.value ->> 'task_id')::uuid end
      where private.brings_artifacts(r.value -> 'artifacts')
        -- Nobody holds up the files of a project that they may not write to.
        and (private.is_worker() or t.project_id in (select private.project_ids('editor')))
    )
  );
end
$$;

create or replace function private.save_task_artifacts(p_task public.agent_tasks, p_artifacts jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_item jsonb;
begin
  if jsonb_typeof(coalesce(p_artifacts, '[]')) <> 'array' then
    perform private.refuse_field('artifacts', 'must be a list');
  end if;
  if jsonb_array_length(p_artifacts) > 100 then
    perform private.refuse_field('artifacts', 'may have at most 100 entries');
  end if;

  for v_item in
    select a.value from jsonb_array_elements(p_artifacts) as a
  loop
    if jsonb_typeof(v_item -> 'base_version') not in ('number', 'null')
      or not pg_input_is_valid(coalesce(v_item ->> 'base_version', '0'), 'integer')
    then
      perform private.refuse_field('artifacts', 'must have whole numbers as base_version');
    end if;
    if v_item -> 'deleted' is not distinct from 'true' then
      perform private.delete_artifact(
        p_task.project_id, v_item ->> 'file_path', p_task.id, (v_item ->> 'base_version')::integer
      );
    else
      perform private.save_artifact(
        p_task.project_id, v_item ->> 'file_path', v_item ->> 'content', v_item ->> 'name', v_item ->> 'language',
        v_item ->> 'type', p_task.id, v_item -> 'metadata', (v_item ->> 'base_version')::integer
      );
    end if;
  end loop;
end
$$;

revoke execute on function private.artifact_moment(uuid), private.lock_artifacts(uuid[]), private.brings_artifacts(jsonb)
from public, anon, authenticated, service_role;
