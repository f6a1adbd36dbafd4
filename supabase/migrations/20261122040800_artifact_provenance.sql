-- artifact_provenance: where a version comes from, in one row: the task that made it, its execution, the version of the
-- workflow that ran, and the people who saved, started and published. Whoever reads it sees what they see elsewhere.

-- The names of people outside the caller's reach are reached only through rows that the caller may read.
create function private.person_name(p_user_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (select p.full_name from public.profiles as p where p.id = p_user_id);
end
$$;
grant execute on function private.person_name(uuid) to authenticated, service_role;

create view public.artifact_provenance with (security_invoker = true) as
select
  a.id as artifact_id, a.project_id, a.file_path, a.version, a.is_active, a.is_deleted, a.restored_from,
  a.created_at as saved_at, a.created_by as saved_by, private.person_name(a.created_by) as saved_by_name,
  t.id as task_id, t.node_id, t.agent_type, t.attempt, t.worker_id,
  x.id as execution_id, x.status as execution_status, x.started_at as execution_started_at,
  x.started_by, private.person_name(x.started_by) as started_by_name,
  w.id as workflow_id, w.name as workflow_name, v.id as workflow_version_id, v.version as workflow_version,
  v.created_by as published_by, private.person_name(v.created_by) as published_by_name
from public.code_artifacts as a
left join public.agent_tasks as t on t.id = a.task_id
left join public.workflow_executions as x on x.id = t.workflow_execution_id
left join public.workflow_versions as v on v.id = x.version_id
left join public.workflows as w on w.id = x.workflow_id;
revoke all on public.artifact_provenance from anon, authenticated, service_role;
grant select on public.artifact_provenance to authenticated, service_role;
