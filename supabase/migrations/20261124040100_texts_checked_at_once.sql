-- Whether the text of a version is stored was checked at the commit, where the plan of that check is made by the session: made on
-- a table of a few texts it read the whole table at every later save, until the next analyze. It is checked by the operation
-- that adds the version now, which goes by the index, as do all its other checks.

create or replace function private.add_artifact_version(p_latest public.code_artifacts, p_version public.code_artifacts)
returns public.code_artifacts
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_saved public.code_artifacts;
  -- Holds the project: before its files, like who deletes it.
  v_at timestamptz := private.artifact_moment(p_version.project_id);
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
    p_version.restored_from, p_version.metadata, p_version.content_sha256, p_version.content_bytes, auth.uid(), v_at
  )
  returning * into v_saved;
  set constraints public.code_artifacts_content_is_stored immediate;
  return v_saved;
end
$$;
