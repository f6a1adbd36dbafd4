-- A save that says nothing of metadata leaves it as it is, as the contract has it, like name, language and type. It was
-- taken away: whoever saved a text without it, or merged into one, silently lost what another had written there, and a
-- text that was put back by hand counted as changed because its metadata was gone.
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
  -- A version from before there was a limit may have more than another one can.
  v_new.metadata := coalesce(
    p_metadata, case when octet_length(v_latest.metadata::text) <= 16384 then v_latest.metadata end, '{}'
  );
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
