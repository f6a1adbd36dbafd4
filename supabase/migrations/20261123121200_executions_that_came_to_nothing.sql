-- A file that an execution and one inside it had both written could not be undone to the end: once what ran inside had been
-- undone, the other counted it as somebody's, although the file stood as it had itself left it. What a revert or a restoration
-- put back to any of an execution's own versions keeps nothing from being undone now.
--
-- A run that tried something in a file and put it back, as agents do, left nothing to undo, and still kept the run before it from
-- being undone: it had written since. One that had a file in the end as it had found it counts no longer, with all that ran
-- inside it.

create function private.outermost_execution(p_task_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with recursive around (id, parent_task_id) as (
      select x.id, x.parent_task_id
      from public.agent_tasks as t
      join public.workflow_executions as x on x.id = t.workflow_execution_id
      where t.id = p_task_id
      union all
      select x.id, x.parent_task_id
      from around as a
      join public.agent_tasks as t on t.id = a.parent_task_id
      join public.workflow_executions as x on x.id = t.workflow_execution_id
    )
    select a.id from around as a where a.parent_task_id is null
  );
end
$$;

-- Is all that one other execution, with what ran inside it, wrote after this version of a file until that one?
create function private.came_to_nothing(p_from public.code_artifacts, p_to public.code_artifacts)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_other uuid := private.outermost_execution(p_to.task_id);
begin
  return private.leave_same_file(p_from, p_to)
    and v_other <> private.outermost_execution(p_from.task_id)
    and not exists (
      select
      from public.code_artifacts as a
      where a.project_id = p_to.project_id and a.file_path = p_to.file_path
        and a.version > p_from.version and a.version < p_to.version
        and private.outermost_execution(a.task_id) is distinct from v_other
    );
end
$$;

create or replace function private.revert_execution(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set enable_seqscan = off
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

  perform private.lock_artifacts(array[v_execution.project_id]);
  perform private.require_role(v_execution.project_id, 'editor');
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null then
    perform private.refuse('execution_not_found', 'There is no such execution any more.');
  end if;
  if v_execution.completed_at is null then
    perform private.refuse('execution_still_running', 'The execution is still at work: cancel it, or wait for its end.');
  end if;
  v_executions := array(select i.id from private.executions_inside(p_execution_id) as i (id));

  -- All paths in one go from here on, so that ten thousand of them take as many statements as one. The limits have each
  -- row looked up by its key, also where the planner believes that there are next to none.
  with mine as (
    select a.id, a.file_path, a.version
    from public.agent_tasks as t
    join public.code_artifacts as a on a.task_id = t.id
    where t.workflow_execution_id = any (v_executions) and a.project_id = v_execution.project_id
  ), paths as (
    select m.file_path, min(m.version) as first_version, array_agg(m.version order by m.version) as versions
    from mine as m
    group by m.file_path
  ), decided as (
    select p.file_path, (l.artifact).id as latest_id, (l.artifact).version, (l.artifact).created_by, (b.artifact).id as before_id,
      case
        when private.leave_same_file(l.artifact, b.artifact) then 'already_as_before'
        -- Numbers have no gaps: what lies between a version of the execution and its next one, or the latest, others wrote.
        -- They have changed nothing if they left the file as it was before the execution, or put it back as they found it.
        when (l.artifact).version - p.first_version + 1 > cardinality(p.versions) and exists (
          select
          from unnest(p.versions) with ordinality as m (version, place)
          join public.code_artifacts as f
          on f.project_id = v_execution.project_id and f.file_path = p.file_path and f.version = m.version
          join public.code_artifacts as o
          on o.project_id = v_execution.project_id and o.file_path = p.file_path
            and o.version = coalesce(p.versions[m.place + 1] - 1, (l.artifact).version)
          where o.version > m.version
            and not private.leave_same_file(o, b.artifact)
            -- What it left may be of any of its versions up to there: a revert of what ran inside it leaves the one before.
            and not (
              o.task_id is null and (o.restored_from is not null or o.is_deleted)
              and (
                private.leave_same_file(o, f)
                or exists (
                  select
                  from unnest(p.versions[:m.place]) as e (version)
                  join public.code_artifacts as own
                  on own.project_id = v_execution.project_id and own.file_path = p.file_path and own.version = e.version
                  where private.leave_same_file(o, own)
                )
              )
            )
            and not (o.task_id is not null and private.leave_same_file(o, f) and private.came_to_nothing(f, o))
        ) then 'changed_since'
        when octet_length((b.artifact).metadata::text) > 16384 then 'metadata_too_large'
      end as reason
    from paths as p
    cross join lateral (
      select a as artifact
      from public.code_artifacts as a
      where a.project_id = v_execution.project_id and a.file_path = p.file_path
      order by a.version desc
      limit 1
    ) as l
    left join lateral (
      select a as artifact
      from public.code_artifacts as a
      where a.project_id = v_execution.project_id and a.file_path = p.file_path and a.version < p.first_version
      order by a.version desc
      limit 1
    ) as b on not (b.artifact).is_deleted
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
    left join lateral (select a.* from public.code_artifacts as a where a.id = r.before_id limit 1) as b on true
    returning *
  )
  select jsonb_agg(to_jsonb(a) order by a.file_path) into v_reverted from added as a;
  return jsonb_build_object('reverted', coalesce(v_reverted, '[]'), 'kept', coalesce(v_kept, '[]'));
end
$$;
