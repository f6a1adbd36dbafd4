-- State and input with loops and maps: the fold stands in an order that only the graph decides, reads the channels it is
-- asked for, and takes a map's gathered output rather than its elements'.
-- Values are gathered as json and read as jsonb afterwards: the aggregates of jsonb take seconds for one list of ten
-- thousand.

drop function private.fold_state(uuid);
create function private.fold_state(p_execution_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_input jsonb;
  v_reducers jsonb;
begin
  select x.input, g.reducers into v_input, v_reducers
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id;
  -- Without reducers the last word on a channel counts, which is what an object does with a key that is given twice.
  if v_reducers = '{}' then
    return v_input || (
      select coalesce(json_object_agg(o.key, o.value order by coalesce(t.fold_order, array[t.node_index]), t.iteration), '{}')::jsonb
      from public.agent_tasks as t
      cross join lateral jsonb_each(
        case when jsonb_typeof(t.output_data) = 'object' then t.output_data else jsonb_build_object(t.node_id, t.output_data) end
      ) as o
      where t.workflow_execution_id = p_execution_id and t.status = 'completed' and t.output_data is not null
        and t.map_index is null
    );
  end if;
  return (
    with execution as (
      select x.input, g.reducers
      from public.workflow_executions as x
      join private.workflow_graphs as g on g.version_id = x.version_id
      where x.id = p_execution_id
    ), written as (
      select
        o.key as channel, o.value,
        row_number() over (order by coalesce(t.fold_order, array[t.node_index]), t.iteration, o.key) as place
      from public.agent_tasks as t
      cross join lateral jsonb_each(
        case when jsonb_typeof(t.output_data) = 'object' then t.output_data else jsonb_build_object(t.node_id, t.output_data) end
      ) as o
      where t.workflow_execution_id = p_execution_id and t.status = 'completed' and t.output_data is not null
        and t.map_index is null
      union all
      select i.key, i.value, 0 from execution as x cross join jsonb_each(x.input) as i
    ), folded as (
      select
        w.channel,
        case x.reducers ->> w.channel
          when 'append' then (
            select coalesce(json_agg(e.value order by p.place, e.place), '[]')::jsonb
            from unnest(array_agg(w.value order by w.place)) with ordinality as p (value, place)
            cross join lateral jsonb_array_elements(
              case when jsonb_typeof(p.value) = 'array' then p.value else jsonb_build_array(p.value) end
            ) with ordinality as e (value, place)
          )
          when 'sum' then to_jsonb(sum(case when jsonb_typeof(w.value) = 'number' then (w.value #>> '{}')::numeric end))
          when 'merge' then (
            select coalesce(json_object_agg(e.key, e.value order by p.place), '{}')::jsonb
            from unnest(array_agg(w.value order by w.place)) with ordinality as p (value, place)
            cross join lateral jsonb_each(case when jsonb_typeof(p.value) = 'object' then p.value else '{}' end) as e
          )
          else (array_agg(w.value order by w.place desc))[1]
        end as value
      from written as w
      cross join execution as x
      group by w.channel, x.reducers
    )
    select coalesce(json_object_agg(f.channel, f.value), '{}')::jsonb from folded as f
  );
end
$$;

-- All values a path finds, as a list; null where it cannot be evaluated, like read_path.
create function private.read_all(p_state jsonb, p_path jsonpath)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_path_query_array(p_state, p_path, '{}', true);
exception
  when others then
    return null;
end
$$;

-- A node's `input` read from a state: strings that begin with $ are paths, everything else is a constant.
create function private.read_mapping(p_mapping jsonb, p_state jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(json_object_agg(
      m.key,
      case
        when jsonb_typeof(m.value) = 'string' and m.value #>> '{}' like '$%'
          then private.read_path(p_state, (m.value #>> '{}')::jsonpath)
        else m.value
      end
    ), '{}')::jsonb
    from jsonb_each(p_mapping) as m
  );
end
$$;

-- What a task is given when its turn comes: its own `input` mapping read from the state; without one, the outputs of its
-- direct predecessors by node id (behind a loop edge: of the turn before), or the execution's input where only the start
-- leads to it.
create or replace function private.task_input(p_execution_id uuid, p_version_id uuid, p_node_index integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_mapping jsonb;
  v_outputs jsonb;
  v_has_predecessors boolean;
begin
  select n.input into v_mapping
  from private.workflow_nodes as n where n.version_id = p_version_id and n.node_index = p_node_index;
  if v_mapping is not null then
    return private.read_mapping(v_mapping, private.fold_state(p_execution_id));
  end if;

  select json_object_agg(t.node_id, t.output_data) filter (where t.status = 'completed'), bool_or(e.loop_max_iterations is null)
  into v_outputs, v_has_predecessors
  from private.workflow_edges as e
  -- limit 1: each predecessor is looked up by the index, whatever the statistics say.
  left join lateral (
    select t.node_id, t.output_data, t.status from public.agent_tasks as t
    where t.workflow_execution_id = p_execution_id and t.node_index = e.source_index and t.map_index is null
      and (e.loop_max_iterations is null or t.status = 'completed')
    order by t.iteration desc
    limit 1
  ) as t on true
  where e.version_id = p_version_id and e.target_index = p_node_index and e.source_index > 0;
  if v_outputs is not null then
    return v_outputs;
  elsif v_has_predecessors then
    return '{}';
  end if;
  return (select x.input from public.workflow_executions as x where x.id = p_execution_id);
end
$$;

-- The two shapes every operation answers with. No lease, no digest.
create or replace function private.task_json(p_task public.agent_tasks)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_task.id, 'execution_id', p_task.workflow_execution_id, 'node_id', p_task.node_id, 'node_type', p_task.node_type,
    'agent_type', p_task.agent_type, 'status', p_task.status, 'attempt', p_task.attempt,
    'max_attempts', p_task.max_attempts, 'iteration', p_task.iteration, 'map_index', p_task.map_index,
    'priority', p_task.priority, 'available_at', p_task.available_at, 'label', p_task.label,
    'error_message', p_task.error_message, 'execution_time_ms', p_task.execution_time_ms,
    'started_at', p_task.started_at, 'completed_at', p_task.completed_at
  );
end
$$;

create function private.execution_json(p_execution public.workflow_executions)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_execution.id, 'workflow_id', p_execution.workflow_id, 'project_id', p_execution.project_id,
    'version', p_execution.version, 'status', p_execution.status, 'error_message', p_execution.error_message,
    'parent_task_id', p_execution.parent_task_id, 'forked_from', p_execution.forked_from,
    'started_by', p_execution.started_by, 'started_at', p_execution.started_at,
    'completed_at', p_execution.completed_at, 'created_at', p_execution.created_at
  );
end
$$;

create or replace function private.execution_json(p_execution_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  return private.execution_json(v_execution);
end
$$;

-- The tasks that a step set going, elements of maps aside; of a wide step the first hundred, so that no answer grows
-- with the graph.
create function private.unlocked_json(p_moved jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  if not p_moved ?| array['pending', 'waiting'] then
    return '[]';
  end if;
  v_ids := array(
    select m.id::uuid
    from jsonb_array_elements_text(coalesce(p_moved -> 'pending', '[]') || coalesce(p_moved -> 'waiting', '[]')) as m (id)
  );
  return (
    select coalesce(jsonb_agg(private.task_json(u) order by u.node_index, u.iteration), '[]')
    from (
      select t.* from public.agent_tasks as t
      where t.map_index is null and t.id = any (v_ids)
      order by t.node_index, t.iteration
      limit 100
    ) as u
  );
end
$$;
