-- Metadata of a version has at most 16 KiB: every reader of the project's files reads it along, and a few files with
-- megabytes of it closed the snapshot for all.

-- A version is active when it is written, unless it is a deletion, which has none. One from before that has more may
-- still be succeeded, which makes it inactive: it is not checked then, nor now (`not valid`).
alter table public.code_artifacts
add constraint code_artifacts_metadata_is_small check (not is_active or octet_length(metadata::text) <= 16384) not valid;

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
  if octet_length(p_metadata::text) > 16384 then
    perform private.refuse_field('metadata', 'must have at most 16 KiB as JSON');
  end if;
  perform private.require_task_of_project(p_task_id, p_project_id);

  perform private.lock_artifacts(array[p_project_id]);
  v_latest := private.latest_artifact(p_project_id, v_path);
  perform private.require_base_version(v_latest, v_path, p_base_version);

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
  if octet_length(v_old.metadata::text) > 16384 then
    perform private.refuse_field('artifact_id', 'is a version with over 16 KiB of metadata, which none may have any more');
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
