-- What an execution with a limit has at work is counted once in a claim. It was counted anew for each task that was taken, among
-- all that its project has at work: behind 100,000 leases in one person's project a claim of a hundred took as long as a
-- statement may. As such a claim comes to nothing, the next one on its connection began at the same project, so that no worker
-- got any further.

-- Tasks of a project whose executions have limits, in their order, and of each execution as many as it has room for.
create or replace function private.pick_limited_tasks(
  p_project_id uuid, p_execution_id uuid, p_agent_types text[], p_limit integer, p_full uuid[]
)
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- Whoever asks for many of what fills up one by one gets the rest with the next claim.
  c_max_passes constant integer := 10;
  -- As keys, which are found by halving.
  v_full jsonb := coalesce((select jsonb_object_agg(f.id, true) from unnest(p_full) as f (id)), '{}');
  v_filled uuid[];
  v_task record;
  v_ids uuid[] := '{}';
  v_within uuid[] := case when p_execution_id is not null then private.executions_within(p_execution_id) end;
  v_limit integer;
  -- How many tasks are at work by execution, and for how many more there is room.
  v_running jsonb;
  v_room jsonb := '{}';
  v_left integer;
begin
  for v_pass in 1 .. c_max_passes loop
    exit when cardinality(v_ids) >= p_limit;
    v_filled := '{}';
    for v_task in
      select t.id, t.workflow_execution_id
      from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = p_project_id and t.agent_type = any (p_agent_types) and t.available_at <= now()
        and (v_within is null or t.workflow_execution_id = any (v_within))
        and not v_full ? t.workflow_execution_id::text and t.id <> all (v_ids)
      order by t.priority desc, t.available_at
      limit p_limit - cardinality(v_ids)
      for no key update skip locked
    loop
      continue when v_task.workflow_execution_id = any (v_filled);
      v_ids := array_append(v_ids, v_task.id);
      select l.concurrency_limit into v_limit
      from private.limited_executions as l where l.workflow_execution_id = v_task.workflow_execution_id;
      continue when not found;
      -- Nobody else begins a task of the project meanwhile.
      if v_running is null then
        select coalesce(jsonb_object_agg(r.id, r.tasks), '{}') into v_running
        from (
          select x.id, count(*) as tasks
          from (
            select t.workflow_execution_id as id from public.agent_tasks as t
            where t.status = 'running' and t.project_id between p_project_id and p_project_id
            order by t.project_id, t.lease_expires_at
          ) as x
          group by x.id
        ) as r
        join private.limited_executions as l on l.workflow_execution_id = r.id;
      end if;
      v_left := coalesce(
        (v_room ->> v_task.workflow_execution_id::text)::integer,
        v_limit - coalesce((v_running ->> v_task.workflow_execution_id::text)::integer, 0)
      ) - 1;
      v_room := v_room || jsonb_build_object(v_task.workflow_execution_id, v_left);
      -- Each task taken may fill its execution.
      if v_left <= 0 then
        v_filled := array_append(v_filled, v_task.workflow_execution_id);
      end if;
    end loop;
    -- What was taken and filled nothing was all there is.
    exit when v_filled = '{}';
    v_full := v_full || (select jsonb_object_agg(f.id, true) from unnest(v_filled) as f (id));
  end loop;
  return v_ids;
end
$$;
