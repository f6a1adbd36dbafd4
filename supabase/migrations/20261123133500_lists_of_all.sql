-- A map over `$.files[ * ]` ran over the first of the files: that a path means all it finds was read from how it was written.
-- It is read from the path as PostgreSQL writes it, whatever blanks, brackets and comments stand in it.
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
    when v_path::jsonpath::text ~ '\[\*\]$' then private.read_all(v_state, v_path::jsonpath)
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
