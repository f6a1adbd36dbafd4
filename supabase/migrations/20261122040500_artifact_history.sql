-- artifact_history: the versions of one path, newest first, deletions too. A page costs its own rows wherever it is: the
-- cursor is a version number, and the index of (project, path, version) is read backwards from there.

create function private.artifact_history(p_project_id uuid, p_file_path text, p_before_version integer, p_limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_path text := normalize(p_file_path, nfc);
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

create function public.artifact_history(
  project_id uuid, file_path text, before_version integer default null, "limit" integer default null
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.artifact_history(
    artifact_history.project_id, artifact_history.file_path, artifact_history.before_version, artifact_history.limit
  );
end
$$;
grant execute on function private.artifact_history(uuid, text, integer, integer) to authenticated, service_role;
grant execute on function public.artifact_history(uuid, text, integer, integer) to authenticated, service_role;
