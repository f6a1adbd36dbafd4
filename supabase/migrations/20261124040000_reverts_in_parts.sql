-- What wrote more files than a statement has time for could never be undone: all of it was one transaction, which took longer
-- than the eight seconds there are and left everything as it was. A revert is done in parts now, of ten thousand paths or of
-- as many as are asked for, and says after which path the next one begins.
--
-- And a project that was filled since the last statistics looked to the planner as if it had next to no files, so that a revert
-- read all of them for each path: of 40,000 files it ended in time only by luck, of 100,000 not even the first part did. Each
-- version is found by the index of its path now, as the last one up to a number, each file of a run by its task, and each row
-- that was decided by its id.

drop function public.revert_execution(uuid);
drop function private.revert_execution(uuid);

create function private.revert_execution(p_execution_id uuid, p_after text, p_limit integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set enable_seqscan = off
set enable_sort = off
as $$
declare
  v_execution public.workflow_executions;
  v_limit integer := coalesce(p_limit, 10000);
  v_executions uuid[];
  v_latest uuid[];
  v_before uuid[];
  v_kept jsonb;
  v_reverted jsonb;
  v_next_after text;
  v_at timestamptz;
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_execution.project_id, 'editor');
  if v_limit not between 1 and 10000 then
    perform private.refuse_field('limit', 'must be 1 to 10000');
  end if;

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
    cross join lateral (
      select a.id, a.project_id, a.file_path, a.version
      from public.code_artifacts as a
      where a.task_id = t.id
      offset 0
    ) as a
    where t.workflow_execution_id = any (v_executions) and a.project_id = v_execution.project_id
  ), paths as (
    select m.file_path, min(m.version) as first_version, array_agg(m.version order by m.version) as versions
    from mine as m
    where m.file_path > coalesce(p_after, '')
    group by m.file_path
    order by m.file_path
    limit v_limit + 1
  ), numbered as (
    select p.*, row_number() over (order by p.file_path) as place from paths as p
  ), part as (
    select n.* from numbered as n where n.place <= v_limit
  ), decided as materialized (
    select p.file_path, (l.artifact).id as latest_id, (l.artifact).version, (l.artifact).created_by, (b.artifact).id as before_id,
      case
        when private.leave_same_file(l.artifact, b.artifact) then 'already_as_before'
        -- Numbers have no gaps: what lies between a version of the execution and its next one, or the latest, others wrote.
        -- They have changed nothing if they left the file as it was before the execution, or put it back as they found it.
        when (l.artifact).version - p.first_version + 1 > cardinality(p.versions) and exists (
          select
          from unnest(p.versions) with ordinality as m (version, place)
          cross join lateral (
            select coalesce(p.versions[m.place + 1] - 1, (l.artifact).version) as version
          ) as u
          cross join lateral (
            select a as artifact
            from public.code_artifacts as a
            where a.project_id = v_execution.project_id and a.file_path = p.file_path and a.version <= m.version
            order by a.version desc
            limit 1
          ) as f
          cross join lateral (
            select a as artifact, a.task_id, a.restored_from, a.is_deleted
            from public.code_artifacts as a
            where a.project_id = v_execution.project_id and a.file_path = p.file_path and a.version <= u.version
            order by a.version desc
            limit 1
          ) as o
          where u.version > m.version
            and not private.leave_same_file(o.artifact, b.artifact)
            -- What it left may be of any of its versions up to there: a revert of what ran inside it leaves the one before.
            and not (
              o.task_id is null and (o.restored_from is not null or o.is_deleted)
              and (
                private.leave_same_file(o.artifact, f.artifact)
                or exists (
                  select
                  from unnest(p.versions[:m.place]) as e (version)
                  cross join lateral (
                    select a as artifact
                    from public.code_artifacts as a
                    where a.project_id = v_execution.project_id and a.file_path = p.file_path and a.version <= e.version
                    order by a.version desc
                    limit 1
                  ) as own
                  where private.leave_same_file(o.artifact, own.artifact)
                )
              )
            )
            and not (
              o.task_id is not null and private.leave_same_file(o.artifact, f.artifact)
              and private.came_to_nothing(f.artifact, o.artifact)
            )
        ) then 'changed_since'
        when octet_length((b.artifact).metadata::text) > 16384 then 'metadata_too_large'
      end as reason
    from part as p
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
    array_agg(d.before_id) filter (where d.reason is null),
    case when exists (select from numbered as n where n.place > v_limit) then max(d.file_path) end
  into v_kept, v_latest, v_before, v_next_after
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
    cross join lateral (select a.* from public.code_artifacts as a where a.id = r.latest_id limit 1) as l
    left join lateral (select a.* from public.code_artifacts as a where a.id = r.before_id limit 1) as b on true
    returning *
  )
  select jsonb_agg(to_jsonb(a) order by a.file_path) into v_reverted from added as a;
  -- Here and not at the commit, which would read all texts for each where the session planned it when there were next to none.
  set constraints public.code_artifacts_content_is_stored immediate;
  return jsonb_build_object(
    'reverted', coalesce(v_reverted, '[]'), 'kept', coalesce(v_kept, '[]'), 'next_after', v_next_after
  );
end
$$;

-- Is all that one other execution, with what ran inside it, wrote after this version of a file until that one?
create or replace function private.came_to_nothing(p_from public.code_artifacts, p_to public.code_artifacts)
returns boolean
language plpgsql
stable
set search_path = ''
set enable_sort = off
as $$
declare
  v_other uuid := private.outermost_execution(p_to.task_id);
begin
  return private.leave_same_file(p_from, p_to)
    and v_other <> private.outermost_execution(p_from.task_id)
    and not exists (
      select
      from (
        select a.task_id
        from public.code_artifacts as a
        where a.project_id = p_to.project_id and a.file_path = p_to.file_path
          and a.version > p_from.version and a.version < p_to.version
        order by a.version desc
        offset 0
      ) as between_them
      where private.outermost_execution(between_them.task_id) is distinct from v_other
    );
end
$$;

create function public.revert_execution(execution_id uuid, after text default null, "limit" integer default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.revert_execution(revert_execution.execution_id, revert_execution.after, revert_execution.limit);
end
$$;
grant execute on function private.revert_execution(uuid, text, integer) to authenticated, service_role;
grant execute on function public.revert_execution(uuid, text, integer) to authenticated, service_role;
