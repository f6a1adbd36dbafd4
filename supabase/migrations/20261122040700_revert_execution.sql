-- revert_execution: puts every path that one execution wrote back to what it was before, by a new version each. A path
-- that somebody else has written since is kept, and so is one that is already as it was: the answer says which and why.

insert into private.error_codes (code, http_status) values ('execution_still_running', 409);

create function private.revert_artifact(p_project_id uuid, p_path text, p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_latest public.code_artifacts := private.latest_artifact(p_project_id, p_path);
  v_first integer;
  v_before public.code_artifacts;
  v_reason text;
begin
  select min(a.version) into v_first
  from public.agent_tasks as t
  join public.code_artifacts as a on a.task_id = t.id
  where t.workflow_execution_id = p_execution_id and a.project_id = p_project_id and a.file_path = p_path;
  select a.* into v_before
  from public.code_artifacts as a
  where a.project_id = p_project_id and a.file_path = p_path and a.version = v_first - 1;

  v_reason := case
    when v_latest.content_sha256 is not distinct from v_before.content_sha256 then 'already_as_before'
    when exists (
      select from public.code_artifacts as a
      where a.project_id = p_project_id and a.file_path = p_path and a.version > v_first
        and not exists (
          select from public.agent_tasks as t where t.id = a.task_id and t.workflow_execution_id = p_execution_id
        )
    ) then 'changed_since'
  end;
  if v_reason is not null then
    return jsonb_build_object(
      'file_path', p_path, 'reason', v_reason, 'version', v_latest.version, 'created_by', v_latest.created_by
    );
  end if;

  if v_before.content_sha256 is null then
    v_before := v_latest;
    v_before.restored_from := null;
    v_before.metadata := '{}';
    v_before.content_sha256 := null;
    v_before.content_bytes := null;
  else
    v_before.restored_from := v_before.version;
  end if;
  v_before.task_id := null;
  return to_jsonb(private.add_artifact_version(v_latest, v_before));
end
$$;

create function private.revert_execution(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
  v_paths text[];
  v_path text;
  v_done jsonb;
  v_reverted jsonb[] := '{}';
  v_kept jsonb[] := '{}';
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
  perform private.require_role(v_execution.project_id, 'editor');
  if v_execution.completed_at is null then
    perform private.refuse('execution_still_running', 'The execution is still at work: cancel it, or wait for its end.');
  end if;

  select array_agg(distinct a.file_path order by a.file_path) into v_paths
  from public.agent_tasks as t
  join public.code_artifacts as a on a.task_id = t.id
  where t.workflow_execution_id = p_execution_id and a.project_id = v_execution.project_id;
  perform private.lock_artifact_paths(v_execution.project_id, v_paths);
  foreach v_path in array coalesce(v_paths, '{}') loop
    v_done := private.revert_artifact(v_execution.project_id, v_path, p_execution_id);
    if v_done ? 'reason' then
      v_kept := v_kept || v_done;
    else
      v_reverted := v_reverted || v_done;
    end if;
  end loop;
  return jsonb_build_object('reverted', to_jsonb(v_reverted), 'kept', to_jsonb(v_kept));
end
$$;

create function public.revert_execution(execution_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.revert_execution(revert_execution.execution_id);
end
$$;
grant execute on function private.revert_execution(uuid) to authenticated, service_role;
grant execute on function public.revert_execution(uuid) to authenticated, service_role;
