-- restore_artifact: the next version of a path, equal to one it had before. Nothing is taken away: what was the head
-- stays in the history.

create function private.restore_artifact(p_artifact_id uuid)
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

  perform private.lock_artifact_paths(v_old.project_id, array[v_old.file_path]);
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

create function public.restore_artifact(artifact_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.restore_artifact(restore_artifact.artifact_id);
end
$$;
grant execute on function private.restore_artifact(uuid) to authenticated, service_role;
grant execute on function public.restore_artifact(uuid) to authenticated, service_role;
