-- person_name() told anybody who speaks SQL the name of anybody whose id they had. The names that artifact_provenance shows
-- also of people who have left are now asked for by the row that names them, and told to those who may read that row.

create function private.saved_by_name(p_artifact_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select p.full_name
    from public.code_artifacts as a
    join public.profiles as p on p.id = a.created_by
    where a.id = p_artifact_id
      and (a.project_id = any ((select private.readable_project_ids())::uuid[]) or (select private.is_worker()))
  );
end
$$;

create function private.started_by_name(p_execution_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select p.full_name
    from public.workflow_executions as x
    join public.profiles as p on p.id = x.started_by
    where x.id = p_execution_id
      and (x.project_id = any ((select private.readable_project_ids())::uuid[]) or (select private.is_worker()))
  );
end
$$;

create function private.published_by_name(p_version_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select p.full_name
    from public.workflow_versions as v
    join public.profiles as p on p.id = v.created_by
    where v.id = p_version_id
      and (v.project_id = any ((select private.readable_project_ids())::uuid[]) or (select private.is_worker()))
  );
end
$$;
grant execute on function private.saved_by_name(uuid), private.started_by_name(uuid), private.published_by_name(uuid)
to authenticated, service_role;

create or replace view public.artifact_provenance with (security_invoker = true) as
select
  a.id as artifact_id, a.project_id, a.file_path, a.version, a.is_active, a.is_deleted, a.restored_from,
  a.created_at as saved_at, a.created_by as saved_by, private.saved_by_name(a.id) as saved_by_name,
  t.id as task_id, t.node_id, t.agent_type, t.attempt, t.worker_id,
  x.id as execution_id, x.status as execution_status, x.started_at as execution_started_at,
  x.started_by, private.started_by_name(x.id) as started_by_name,
  w.id as workflow_id, w.name as workflow_name, v.id as workflow_version_id, v.version as workflow_version,
  v.created_by as published_by, private.published_by_name(v.id) as published_by_name
from public.code_artifacts as a
left join public.agent_tasks as t on t.id = a.task_id
left join public.workflow_executions as x on x.id = t.workflow_execution_id
left join public.workflow_versions as v on v.id = x.version_id
left join public.workflows as w on w.id = x.workflow_id;

drop function private.person_name(uuid);
