-- An execution is itself and all that ran inside it, at any depth: in when it wrote its last word, and in what a revert
-- undoes. One that ran inside another can still be asked for, and reverted, by itself.

create function private.executions_inside(p_execution_id uuid)
returns setof uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  with recursive inside (id) as (
    select p_execution_id
    union all
    select x.id
    from inside as i
    join public.agent_tasks as t on t.workflow_execution_id = i.id
    join public.workflow_executions as x on x.parent_task_id = t.id
  )
  select i.id from inside as i;
end
$$;

-- When an execution's last word was written: its last artifact may be a little younger than its end. null while it runs.
create or replace function private.execution_moment(p_project_id uuid, p_execution_id uuid)
returns timestamptz
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_ended timestamptz;
begin
  select x.completed_at into v_ended
  from public.workflow_executions as x where x.id = p_execution_id and x.project_id = p_project_id;
  if not found then
    perform private.refuse('execution_not_found', 'There is no such execution in this project.');
  end if;
  return case when v_ended is not null then greatest(v_ended, (
    select max(a.created_at)
    from public.agent_tasks as t
    join public.code_artifacts as a on a.task_id = t.id
    where t.workflow_execution_id = any (array(select i.id from private.executions_inside(p_execution_id) as i (id)))
  )) end;
end
$$;

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
  perform private.require_role(v_execution.project_id, 'editor');
  if v_execution.completed_at is null then
    perform private.refuse('execution_still_running', 'The execution is still at work: cancel it, or wait for its end.');
  end if;

  perform private.lock_artifacts(array[v_execution.project_id]);
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
    select p.file_path, l.id as latest_id, l.version, l.created_by, b.id as before_id,
      case
        when l.content_sha256 is not distinct from b.content_sha256 then 'already_as_before'
        -- Numbers have no gaps: from its first version to the latest all are the execution's, or there is another's.
        when l.version - p.first_version + 1 > p.versions then 'changed_since'
      end as reason
    from paths as p
    cross join lateral (
      select a.*
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

revoke execute on function private.executions_inside(uuid) from public, anon, authenticated, service_role;
