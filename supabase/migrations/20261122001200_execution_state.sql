-- State and input. A task's output is stored once, in its row; the state is the fold of the outputs by channel, in the
-- order of the graph and not of the clock, so that the same outputs give the same state however the workers raced.

create function private.fold_state(p_execution_id uuid)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with execution as (
    select x.input, coalesce(v.definition -> 'state', '{}') as reducers
    from public.workflow_executions as x
    join public.workflow_versions as v on v.id = x.version_id
    where x.id = p_execution_id
  ), written as (
    select o.key as channel, o.value, row_number() over (order by t.node_index, t.iteration, t.map_index, o.key) as place
    from public.agent_tasks as t
    cross join lateral jsonb_each(
      case when jsonb_typeof(t.output_data) = 'object' then t.output_data else jsonb_build_object(t.node_id, t.output_data) end
    ) as o
    where t.workflow_execution_id = p_execution_id and t.status = 'completed' and t.output_data is not null
    union all
    select i.key, i.value, 0 from execution as x cross join jsonb_each(x.input) as i
  ), folded as (
    select
      w.channel,
      case x.reducers ->> w.channel
        when 'append' then (
          select coalesce(jsonb_agg(e.value order by p.place, e.place), '[]')
          from unnest(array_agg(w.value order by w.place)) with ordinality as p (value, place)
          cross join lateral jsonb_array_elements(
            case when jsonb_typeof(p.value) = 'array' then p.value else jsonb_build_array(p.value) end
          ) with ordinality as e (value, place)
        )
        when 'sum' then to_jsonb(sum(case when jsonb_typeof(w.value) = 'number' then (w.value #>> '{}')::numeric end))
        when 'merge' then (
          select coalesce(jsonb_object_agg(e.key, e.value order by p.place), '{}')
          from unnest(array_agg(w.value order by w.place)) with ordinality as p (value, place)
          cross join lateral jsonb_each(case when jsonb_typeof(p.value) = 'object' then p.value else '{}' end) as e
        )
        else (array_agg(w.value order by w.place desc))[1]
      end as value
    from written as w
    cross join execution as x
    group by w.channel, x.reducers
  )
  select coalesce(jsonb_object_agg(f.channel, f.value), '{}') from folded as f
$$;

-- The first value a path finds, or null. `silent` leaves some errors standing (times with zones, numbers out of range),
-- and no data may stop an execution.
create function private.read_path(p_state jsonb, p_path jsonpath)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_path_query_first(p_state, p_path, '{}', true);
exception
  when others then
    return null;
end
$$;

-- What a task is given when it becomes pending: its own `input` mapping read from the state; without one, the outputs
-- of its direct predecessors by node id, or the execution's input where only the start leads to it.
create function private.task_input(p_execution_id uuid, p_version_id uuid, p_node_index integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_mapping jsonb;
  v_state jsonb;
begin
  select n.input into v_mapping
  from private.workflow_nodes as n where n.version_id = p_version_id and n.node_index = p_node_index;

  if v_mapping is null then
    return coalesce(
      (
        -- offset 0: look each predecessor up by the index, whatever the statistics say.
        select jsonb_object_agg(t.node_id, t.output_data)
        from private.workflow_edges as e
        cross join lateral (
          select t.node_id, t.output_data from public.agent_tasks as t
          where t.workflow_execution_id = p_execution_id and t.node_index = e.source_index
          offset 0
        ) as t
        where e.version_id = p_version_id and e.target_index = p_node_index
      ),
      (select x.input from public.workflow_executions as x where x.id = p_execution_id)
    );
  end if;

  v_state := private.fold_state(p_execution_id);
  return (
    select coalesce(jsonb_object_agg(
      m.key,
      case
        when jsonb_typeof(m.value) = 'string' and m.value #>> '{}' like '$%'
          then private.read_path(v_state, (m.value #>> '{}')::jsonpath)
        else m.value
      end
    ), '{}')
    from jsonb_each(v_mapping) as m
  );
end
$$;

-- The two shapes every operation answers with. No lease, no digest.
create function private.task_json(p_task public.agent_tasks)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_task.id, 'execution_id', p_task.workflow_execution_id, 'node_id', p_task.node_id,
    'agent_type', p_task.agent_type, 'status', p_task.status, 'attempt', p_task.attempt,
    'max_attempts', p_task.max_attempts, 'iteration', p_task.iteration, 'map_index', p_task.map_index,
    'priority', p_task.priority, 'available_at', p_task.available_at, 'label', p_task.label,
    'error_message', p_task.error_message, 'execution_time_ms', p_task.execution_time_ms,
    'started_at', p_task.started_at, 'completed_at', p_task.completed_at
  );
end
$$;

create function private.execution_json(p_execution_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'id', x.id, 'workflow_id', x.workflow_id, 'project_id', x.project_id, 'version', x.version, 'status', x.status,
      'error_message', x.error_message, 'started_by', x.started_by, 'started_at', x.started_at,
      'completed_at', x.completed_at, 'created_at', x.created_at
    )
    from public.workflow_executions as x
    where x.id = p_execution_id
  );
end
$$;
