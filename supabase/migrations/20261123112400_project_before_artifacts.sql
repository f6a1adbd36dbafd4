-- Saving or deleting a file that was there held its latest version when it came to the project, and who was deleting that the
-- other way round: what met ended in a deadlock. The project comes first here, too.

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
  return v_saved;
end
$$;
