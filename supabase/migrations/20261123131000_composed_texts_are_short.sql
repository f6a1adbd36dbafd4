-- A path or name is composed only where it can be one. PostgreSQL puts the marks of a text in order by exchanging neighbours, as
-- often as the square of their number, and looks at nothing else meanwhile: 160 kB of them held a connection for 80 s and a
-- megabyte would for an hour, whatever the statement's timeout. Anybody with an account could send them, and the doors composed
-- before they asked who it is. What has more than 4,096 bytes comes to no path of 1,024 and no name of 255 characters.

create function private.composed(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when octet_length(p_text) > 4096 then p_text else normalize(p_text, nfc) end;
end
$$;

create or replace function private.clean_file_name(p_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    -- Nor are blanks seen by themselves, or joiners and variation selectors, which other characters need.
    when name ~ '[^[:space:]\u00A0\u1680\u2000-\u200D\u202F\u205F\u2800\u3000\uFE00-\uFE0F]'
      and name !~ '^\.{1,2}$' and char_length(name) <= 255
    then name
  end
  from (
    select btrim(private.composed(
      private.without_unseen(regexp_replace(regexp_replace(p_name, '^.*[/\\]', ''), '[[:cntrl:]]', '', 'g'))
    )) as name
  ) as cleaned
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
  v_path text := private.composed(p_file_path);
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
  if private.has_long_numbers(p_metadata) then
    perform private.refuse_field('metadata', private.long_number_rule());
  end if;
  if jsonb_path_exists(p_metadata, 'strict $.**{101}') then
    perform private.refuse_field('metadata', 'must not nest more than 100 levels deep');
  end if;
  if octet_length(p_metadata::text) > 16384 then
    perform private.refuse_field('metadata', 'must have at most 16 KiB as JSON');
  end if;
  perform private.require_task_of_project(p_task_id, p_project_id);

  perform private.lock_artifacts(array[p_project_id]);
  v_latest := private.latest_artifact(p_project_id, v_path);

  v_new.project_id := p_project_id;
  v_new.task_id := p_task_id;
  v_new.name := coalesce(p_name, v_latest.name, left(regexp_replace(v_path, '^.*/', ''), 255));
  if btrim(v_new.name) = '' then
    perform private.refuse_field('file_path', 'has nothing but spaces to name the file by: send a name along');
  end if;
  v_new.file_path := v_path;
  v_new.language := coalesce(p_language, v_latest.language);
  v_new.type := coalesce(p_type, v_latest.type, 'file');
  v_new.metadata := coalesce(p_metadata, '{}');
  v_new.content_sha256 := private.sha256_hex(p_content);
  v_new.content_bytes := octet_length(p_content);

  if v_latest.is_active and v_latest.content_sha256 = v_new.content_sha256
    and (v_latest.name, v_latest.type, v_latest.language) is not distinct from (v_new.name, v_new.type, v_new.language)
    and v_latest.metadata = coalesce(p_metadata, v_latest.metadata)
    and coalesce(p_base_version, 0) <= v_latest.version
  then
    return jsonb_build_object(
      'artifact', private.artifact_json(v_latest, p_content), 'merged', false, 'unchanged', true
    );
  end if;
  perform private.require_base_version(v_latest, v_path, p_base_version);

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
  v_path text := private.composed(p_file_path);
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

create or replace function private.artifact_history(p_project_id uuid, p_file_path text, p_before_version integer, p_limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set enable_sort = off
as $$
declare
  v_path text := private.composed(p_file_path);
  v_limit integer := coalesce(p_limit, 50);
  v_versions jsonb;
begin
  perform private.require_role(p_project_id, 'reader');
  if v_limit not between 1 and 200 then
    perform private.refuse_field('limit', 'must be 1 to 200');
  end if;
  select jsonb_agg(to_jsonb(v) order by v.version desc) into v_versions
  from (
    select a.*
    from public.code_artifacts as a
    where a.project_id = p_project_id and a.file_path = v_path and a.version < coalesce(p_before_version, 2147483647)
    order by a.version desc
    limit v_limit
  ) as v;
  if v_versions is null and (private.latest_artifact(p_project_id, v_path)).id is null then
    perform private.refuse('artifact_not_found', 'There never was such a file in this project.');
  end if;
  return jsonb_build_object(
    'versions', coalesce(v_versions, '[]'),
    -- Numbers have no gaps, so there is more exactly where the last one is not the first.
    'next_before_version', nullif((v_versions -> -1 ->> 'version')::integer, 1)
  );
end
$$;

create or replace function private.reserve_file(
  p_project_id uuid, p_file_name text, p_path text, p_mime_type text, p_file_size bigint, p_seconds integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
  v_name text := private.clean_file_name(p_file_name);
  v_path text := private.composed(p_path);
  v_file public.file_storage;
begin
  perform private.require_role(p_project_id, 'editor');
  if v_name is null then
    perform private.refuse_field('file_name', 'must have 1 to 255 characters that can be seen');
  end if;
  if v_path is not null and not private.is_artifact_path(v_path) then
    perform private.refuse_field('path', private.artifact_path_rule());
  end if;
  if char_length(p_mime_type) > 255 then
    perform private.refuse_field('mime_type', 'must have at most 255 characters');
  end if;
  insert into public.file_storage (id, project_id, file_path, file_name, mime_type, file_size, upload_seconds, uploaded_by, metadata)
  values (
    v_id, p_project_id, p_project_id || '/' || v_id, v_name, p_mime_type, p_file_size, p_seconds, auth.uid(),
    case when v_path is null then '{}' else jsonb_build_object('path', v_path) end
  )
  returning * into v_file;
  return jsonb_build_object('file', to_jsonb(v_file) - 'upload_seconds');
end
$$;
