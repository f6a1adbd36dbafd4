-- Conditions, inputs and the lists of maps read the channels that they name, and not the whole fold: a report costs what its
-- own edges and channels cost, however many tasks there were before it.

-- The values that were written to one channel, in the order of the fold, by its reducer.
create function private.fold_channel(p_reducer text, p_values jsonb[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_reducer
    when 'append' then (
      select coalesce(json_agg(e.value order by p.place, e.place), '[]')::jsonb
      from unnest(p_values) with ordinality as p (value, place)
      cross join lateral jsonb_array_elements(
        case when jsonb_typeof(p.value) = 'array' then p.value else jsonb_build_array(p.value) end
      ) with ordinality as e (value, place)
    )
    when 'sum' then private.sum_of(array(
      select case when jsonb_typeof(p) = 'number' then (p #>> '{}')::numeric end from unnest(p_values) as p
    ))
    when 'merge' then (
      select coalesce(json_object_agg(e.key, e.value order by p.place), '{}')::jsonb
      from unnest(p_values) with ordinality as p (value, place)
      cross join lateral jsonb_each(case when jsonb_typeof(p.value) = 'object' then p.value else '{}' end) as e
    )
    else p_values[cardinality(p_values)]
  end;
end
$$;

-- The whole state, as before.
create or replace function private.fold_state(p_execution_id uuid)
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
        private.fold_channel(x.reducers ->> w.channel, array_agg(w.value order by w.place)) as value
      from written as w
      cross join execution as x
      group by w.channel, x.reducers
    )
    select coalesce(json_object_agg(f.channel, f.value), '{}')::jsonb from folded as f
  );
end
$$;

-- The state as far as some paths read it: what they find in it they would find in the whole.
create function private.read_state(p_execution_id uuid, p_paths text[])
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_execution record;
  v_path text;
  v_channel text;
  v_channels text[] := '{}';
  v_reducer text;
  v_values jsonb[];
  v_state jsonb := '{}';
begin
  select x.input, g.reducers, g.names_channels into v_execution
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id;
  foreach v_path in array p_paths loop
    v_channels := v_channels || private.channels_of(v_path);
    if not v_execution.names_channels or private.channels_of(v_path) is null then
      return private.fold_state(p_execution_id);
    end if;
  end loop;

  foreach v_channel in array array(select distinct c from unnest(v_channels) as c) loop
    v_reducer := coalesce(v_execution.reducers ->> v_channel, 'replace');
    if v_reducer = 'replace' then
      v_values := array(
        select case when jsonb_typeof(t.output_data) = 'object' then t.output_data -> v_channel else t.output_data end
        from private.channel_writes as w
        join public.agent_tasks as t on t.id = w.task_id
        where w.workflow_execution_id = p_execution_id and w.channel = v_channel and t.status = 'completed'
        order by w.fold_order desc, w.iteration desc
        limit 1
      );
    else
      v_values := array(
        select case when jsonb_typeof(t.output_data) = 'object' then t.output_data -> v_channel else t.output_data end
        from private.channel_writes as w
        join public.agent_tasks as t on t.id = w.task_id
        where w.workflow_execution_id = p_execution_id and w.channel = v_channel and t.status = 'completed'
        order by w.fold_order, w.iteration
      );
    end if;
    if v_execution.input ? v_channel then
      v_values := array_prepend(v_execution.input -> v_channel, v_values);
    end if;
    if v_values <> '{}' then
      v_state := v_state || jsonb_build_object(v_channel, private.fold_channel(v_reducer, v_values));
    end if;
  end loop;
  return v_state;
end
$$;
revoke execute on function private.fold_channel(text, jsonb[]), private.read_state(uuid, text[])
from public, anon, authenticated, service_role;

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
    return private.read_mapping(v_mapping, private.read_state(p_execution_id, private.paths_of(v_mapping)));
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

create or replace function private.try_loops(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_edge private.workflow_edges;
  v_state jsonb;
  v_taken integer;
  v_granted integer;
  v_is_ended boolean;
  v_ended integer[] := '{}';
begin
  for v_edge in
    select e.* from private.workflow_edges as e
    where e.version_id = p_task.version_id and e.source_index = p_task.node_index and e.loop_max_iterations is not null
    order by e.edge_index
  loop
    select l.taken, l.granted, l.is_ended into v_taken, v_granted, v_is_ended from private.execution_loops as l
    where l.workflow_execution_id = p_task.workflow_execution_id and l.edge_index = v_edge.edge_index;
    continue when v_is_ended;
    v_ended := array_append(v_ended, v_edge.edge_index);
    continue when p_task.status not in ('completed', 'failed');
    continue when v_edge.label is not null and v_edge.label is distinct from p_task.label;
    continue when v_edge.label is null and v_edge.predicate is null and p_task.node_type = 'approval'
      and p_task.label is distinct from 'approved';
    if v_edge.predicate is not null then
      v_state := coalesce(v_state, private.read_state(p_task.workflow_execution_id, array(
        select e.predicate from private.workflow_edges as e
        where e.version_id = p_task.version_id and e.source_index = p_task.node_index and e.loop_max_iterations is not null
          and e.predicate is not null
      )));
      continue when not private.holds(v_state, v_edge.predicate);
    end if;
    if coalesce(v_taken, 0) < v_edge.loop_max_iterations + coalesce(v_granted, 0) then
      return private.fire_loop(p_task.workflow_execution_id, v_edge);
    elsif v_edge.loop_on_exhausted = 'fail' then
      update private.execution_loops as l set has_run_out = true
      where l.workflow_execution_id = p_task.workflow_execution_id and l.edge_index = v_edge.edge_index;
      return jsonb_build_object('error', format(
        'The loop from %s ran out after %s turns.', p_task.node_id, v_edge.loop_max_iterations
      ));
    end if;
  end loop;
  insert into private.execution_loops (workflow_execution_id, edge_index, is_ended)
  select p_task.workflow_execution_id, x, true from unnest(v_ended) as x
  on conflict (workflow_execution_id, edge_index) do update set is_ended = true;
  return jsonb_build_object('ended', to_jsonb(v_ended));
end
$$;

create or replace function private.expand_map(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_elements constant integer := 10000;
  v_node private.workflow_nodes;
  v_state jsonb;
  v_path text;
  v_items jsonb;
  v_count integer;
  v_children uuid[];
  v_too_large integer;
begin
  select n.* into v_node
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  v_path := v_node.options ->> 'over';
  v_state := private.read_state(p_task.workflow_execution_id, v_path || private.paths_of(coalesce(v_node.input, '{}')));
  -- `$.files[*]` means all the files, not the first of them.
  v_items := case
    when v_path ~ '\[\*\]\s*$' then private.read_all(v_state, v_path::jsonpath)
    else private.read_path(v_state, v_path::jsonpath)
  end;
  if jsonb_typeof(v_items) is distinct from 'array' then
    return jsonb_build_object('error', format('"over" of map %s finds no list in the state: %s.', p_task.node_id, v_path));
  end if;
  v_count := jsonb_array_length(v_items);
  if v_count > c_max_elements then
    return jsonb_build_object('error', format('Map %s has %s elements: at most %s.', p_task.node_id, v_count, c_max_elements));
  end if;
  if v_count = 0 then
    update public.agent_tasks as t set status = 'completed', remaining = 0, output_data = '[]', completed_at = now()
    where t.id = p_task.id;
    return '{"status": "completed"}';
  end if;

  with added as (
    insert into public.agent_tasks (
      workflow_execution_id, project_id, version_id, agent_id, agent_type, node_id, node_index, node_type, iteration, map_index,
      priority, status, has_live_edge, max_attempts, timeout_seconds, available_at, input_data
    )
    select
      p_task.workflow_execution_id, p_task.project_id, p_task.version_id, p_task.agent_id, p_task.agent_type, p_task.node_id,
      p_task.node_index, 'map', p_task.iteration, i.place - 1, p_task.priority, 'pending', true, p_task.max_attempts,
      p_task.timeout_seconds, now() + make_interval(secs => v_node.delay_seconds),
      case
        when v_node.input is null then i.value
        else private.read_mapping(v_node.input, v_state || jsonb_build_object('item', i.value, 'index', i.place - 1))
      end
    from jsonb_array_elements(v_items) with ordinality as i (value, place)
    order by i.place
    returning id, map_index, octet_length(input_data::text) as size
  )
  select array_agg(a.id order by a.map_index), min(a.map_index) filter (where a.size > 1048576)
  into v_children, v_too_large
  from added as a;
  if v_too_large is not null then
    perform private.refuse_large_input(format('%s[%s]', p_task.node_id, v_too_large));
  end if;

  insert into private.countdowns as c (workflow_execution_id, node_index, shard, remaining)
  select p_task.workflow_execution_id, p_task.node_index, s, (v_count - s + 15) / 16
  from generate_series(0, least(v_count, 16) - 1) as s
  on conflict (workflow_execution_id, node_index, shard) do update set remaining = excluded.remaining;
  update public.agent_tasks as t set status = 'waiting', remaining = least(v_count, 16) where t.id = p_task.id;
  return jsonb_build_object('status', 'waiting', 'pending', to_jsonb(v_children));
end
$$;
