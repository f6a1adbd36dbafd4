-- save_artifact over stored contents, and deletions as versions. A save that says nothing new makes no version; one that
-- brings another name, language, type or metadata does, so that nothing a caller sent is dropped in silence.

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

  perform private.lock_artifact_paths(p_project_id, array[v_path]);
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

create function private.require_task_of_project(p_task_id uuid, p_project_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if p_task_id is not null and not exists (
    select from public.agent_tasks as t where t.id = p_task_id and t.project_id = p_project_id
  ) then
    perform private.refuse('task_not_found', 'There is no such task in this project.');
  end if;
end
$$;

-- The next version of a path says that the file is gone. What it was stays in the history.
create function private.delete_artifact(p_project_id uuid, p_file_path text, p_task_id uuid, p_base_version integer)
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
  perform private.lock_artifact_paths(p_project_id, array[v_path]);
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

create function private.delete_artifact_as_caller(
  p_project_id uuid, p_file_path text, p_task_id uuid, p_base_version integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_role(p_project_id, 'editor');
  return private.delete_artifact(p_project_id, p_file_path, p_task_id, p_base_version);
end
$$;

create function public.delete_artifact(
  project_id uuid, file_path text, task_id uuid default null, base_version integer default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.delete_artifact_as_caller(
    delete_artifact.project_id, delete_artifact.file_path, delete_artifact.task_id, delete_artifact.base_version
  );
end
$$;
grant execute on function private.delete_artifact_as_caller(uuid, text, uuid, integer) to authenticated, service_role;
grant execute on function public.delete_artifact(uuid, text, uuid, integer) to authenticated, service_role;
