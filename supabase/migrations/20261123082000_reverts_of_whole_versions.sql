-- A revert compared texts alone: what an execution had changed beside the text (name, language, type, metadata) stayed, as
-- `already_as_before`. A revert in the middle, as before a retry, kept the next one from undoing anything. And one path whose
-- version before has more metadata than any may have now refused the revert of all.

-- Do both leave the file alike? A deletion leaves none, as no version does.
create function private.leave_same_file(p_one public.code_artifacts, p_other public.code_artifacts)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(p_one.content_sha256, p_other.content_sha256) is null
    or (p_one.content_sha256, p_one.name, p_one.language, p_one.type, p_one.metadata)
      is not distinct from (p_other.content_sha256, p_other.name, p_other.language, p_other.type, p_other.metadata);
end
$$;
revoke execute on function private.leave_same_file(public.code_artifacts, public.code_artifacts)
from public, anon, authenticated, service_role;

create or replace function private.revert_execution(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
  v_executions uuid[];
  v_latest uuid[];
  v_before uuid[];
  v_kept jsonb;
  v_reverted jsonb;
  v_at timestamptz;
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_execution.project_id, 'editor');
  if v_execution.completed_at is null then
    perform private.refuse('execution_still_running', 'The execution is still at work: cancel it, or wait for its end.');
  end if;

  perform private.lock_artifacts(array[v_execution.project_id]);
  perform private.require_role(v_execution.project_id, 'editor');
  v_executions := array(select i.id from private.executions_inside(p_execution_id) as i (id));

  -- All paths in one go from here on, so that ten thousand of them take as many statements as one.
  with mine as (
    select a.id, a.file_path, a.version
    from public.agent_tasks as t
    join public.code_artifacts as a on a.task_id = t.id
    where t.workflow_execution_id = any (v_executions) and a.project_id = v_execution.project_id
  ), paths as (
    select m.file_path, min(m.version) as first_version, count(*) as versions from mine as m group by m.file_path
  ), decided as (
    select p.file_path, (l.artifact).id as latest_id, (l.artifact).version, (l.artifact).created_by, b.id as before_id,
      case
        when private.leave_same_file(l.artifact, b) then 'already_as_before'
        -- Numbers have no gaps: from its first version to the latest all are the execution's, or there is another's. One that
        -- put the file back as it was before, as a revert does, has changed nothing since.
        when (l.artifact).version - p.first_version + 1 > p.versions and exists (
          select from public.code_artifacts as o
          where o.project_id = v_execution.project_id and o.file_path = p.file_path and o.version > p.first_version
            and not private.leave_same_file(o, b)
            and not exists (
              select from public.agent_tasks as t where t.id = o.task_id and t.workflow_execution_id = any (v_executions)
            )
        ) then 'changed_since'
        when octet_length(b.metadata::text) > 16384 then 'metadata_too_large'
      end as reason
    from paths as p
    cross join lateral (
      select a as artifact
      from public.code_artifacts as a
      where a.project_id = v_execution.project_id and a.file_path = p.file_path
      order by a.version desc
      limit 1
    ) as l
    left join public.code_artifacts as b
    on b.project_id = v_execution.project_id and b.file_path = p.file_path and b.version = p.first_version - 1
      and not b.is_deleted
  )
  select
    jsonb_agg(
      jsonb_build_object('file_path', d.file_path, 'reason', d.reason, 'version', d.version, 'created_by', d.created_by)
      order by d.file_path
    ) filter (where d.reason is not null),
    array_agg(d.latest_id) filter (where d.reason is null),
    array_agg(d.before_id) filter (where d.reason is null)
  into v_kept, v_latest, v_before
  from decided as d;

  if v_latest is not null then
    v_at := private.artifact_moment(v_execution.project_id);
  end if;
  update public.code_artifacts as a set is_active = false where a.id = any (v_latest) and a.is_active;
  with added as (
    insert into public.code_artifacts (
      project_id, name, file_path, language, type, version, is_active, is_deleted, restored_from, metadata,
      content_sha256, content_bytes, created_by, created_at
    )
    select
      l.project_id, coalesce(b.name, l.name), l.file_path, case when b.id is null then l.language else b.language end,
      coalesce(b.type, l.type), l.version + 1, b.id is not null, b.id is null, b.version, coalesce(b.metadata, '{}'),
      b.content_sha256, b.content_bytes, auth.uid(), v_at
    from unnest(v_latest, v_before) as r (latest_id, before_id)
    join public.code_artifacts as l on l.id = r.latest_id
    left join public.code_artifacts as b on b.id = r.before_id
    returning *
  )
  select jsonb_agg(to_jsonb(a) order by a.file_path) into v_reverted from added as a;
  return jsonb_build_object('reverted', coalesce(v_reverted, '[]'), 'kept', coalesce(v_kept, '[]'));
end
$$;
