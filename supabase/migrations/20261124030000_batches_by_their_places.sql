-- While nothing is known of the tables, as on a new installation, a batch of reports read all tasks of its execution once for each
-- report, to find the one behind it: each is looked up by its place now. And a claim for one execution with a limit of its own, or
-- in a project that has one, read the tasks of all executions of the project that were due: the index tells them apart. Where the
-- execution is full, none of its own are read either.
create or replace function private.unlock_behind(p_done private.plain_completion[], p_ready private.plain_count[])
returns private.moved_task[]
language plpgsql
volatile
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_moved private.moved_task[];
  v_joined private.moved_task[];
  v_is_large boolean := false;
begin
  if (select bool_or(d.has_unlocks) from unnest(p_done) as d) then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true, available_at = now(),
        input_data = jsonb_build_object(s.node_id, s.output_data)
      from unnest(p_done) as d
      join private.workflow_nodes as n on n.version_id = d.version_id and n.node_index = d.node_index
      cross join lateral unnest(n.unlocks) as u (node_index)
      join public.agent_tasks as s on s.id = d.task_id
      -- limit 1: each is looked up by its place, whatever the statistics say.
      cross join lateral (
        select x.id from public.agent_tasks as x
        where x.workflow_execution_id = d.execution_id and x.node_index = u.node_index and x.iteration = 0 and x.map_index is null
        limit 1
      ) as x
      where d.has_unlocks and t.id = x.id
      returning d.place, t.id, t.node_index,
        pg_column_size(t.input_data) > 131072 and octet_length(t.input_data::text) > 1048576 as is_large
    )
    select array_agg((c.place, c.id, c.node_index)::private.moved_task), bool_or(c.is_large) into v_moved, v_is_large
    from changed as c;
    perform private.require_alone(not v_is_large);
  end if;
  -- In a statement of its own: only a new snapshot sees the outputs of predecessors that committed while this one waited
  -- for a counter.
  if p_ready is not null then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true,
        available_at = now() + make_interval(secs => n.delay_seconds),
        input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
      from unnest(p_ready) as r
      join private.workflow_nodes as n on n.version_id = r.version_id and n.node_index = r.node_index
      cross join lateral (
        select x.id from public.agent_tasks as x
        where x.workflow_execution_id = r.execution_id and x.node_index = r.node_index and x.iteration = 0 and x.map_index is null
        limit 1
      ) as x
      where t.id = x.id
      returning r.place, t.id, t.node_index,
        pg_column_size(t.input_data) > 131072 and octet_length(t.input_data::text) > 1048576 as is_large
    )
    select array_agg((c.place, c.id, c.node_index)::private.moved_task), bool_or(c.is_large) into v_joined, v_is_large
    from changed as c;
    perform private.require_alone(not coalesce(v_is_large, false));
  end if;
  return v_moved || v_joined;
end
$$;
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
  -- What the index is asked for; any execution where none is named.
  v_first uuid := coalesce((select min(w::text)::uuid from unnest(v_within) as w), '00000000-0000-0000-0000-000000000000');
  v_last uuid := coalesce((select max(w::text)::uuid from unnest(v_within) as w), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_limit integer;
  -- How many tasks are at work by execution, and for how many more there is room.
  v_running jsonb;
  v_room jsonb := '{}';
  v_left integer;
begin
  for v_pass in 1 .. c_max_passes loop
    exit when cardinality(v_ids) >= p_limit or (v_within is not null and v_full ?& v_within::text[]);
    v_filled := '{}';
    for v_task in
      select t.id, t.workflow_execution_id
      from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = p_project_id and t.agent_type = any (p_agent_types) and t.available_at <= now()
        and t.workflow_execution_id between v_first and v_last
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
