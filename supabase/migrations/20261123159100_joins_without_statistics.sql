-- What a join unlocks was found among all tasks of its execution while nothing was known of the tables: each is looked up by its
-- place now, whatever the statistics say.
create or replace function private.advance_plain(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_node record;
  v_input jsonb;
  v_left integer;
  v_rows integer[] := '{}';
  v_ready integer[] := '{}';
  v_ids uuid[];
  v_counted_ids uuid[];
  v_too_large text;
  v_ends boolean := false;
begin
  select n.unlocks, n.counts, n.count_shards into v_node
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;

  -- What only this node leads to, without a delay or an input of its own, is given the output as it is.
  if v_node.unlocks <> '{}' then
    v_input := jsonb_build_object(p_task.node_id, p_task.output_data);
    if pg_column_size(v_input) > 131072 and octet_length(v_input::text) > 1048576 then
      perform private.refuse_large_input(p_task.node_id);
    end if;
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true, available_at = now(), input_data = v_input
      where t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = any (v_node.unlocks) and t.iteration = 0
        and t.map_index is null
      returning t.id
    )
    select array_agg(c.id) into v_ids from changed as c;
  end if;

  for v_place in 1 .. cardinality(v_node.counts) loop
    if v_node.count_shards[v_place] is null then
      v_rows := array_append(v_rows, v_node.counts[v_place]);
    else
      update private.countdowns as c set remaining = c.remaining - 1
      where c.workflow_execution_id = p_task.workflow_execution_id and c.node_index = v_node.counts[v_place]
        and c.shard = v_node.count_shards[v_place]
      returning c.remaining into v_left;
      if v_left = 0 and v_node.count_shards[v_place] = 0 then
        v_ready := array_append(v_ready, v_node.counts[v_place]);
      elsif v_left = 0 then
        v_rows := array_append(v_rows, v_node.counts[v_place]);
      end if;
    end if;
  end loop;
  for v_place in 1 .. cardinality(v_rows) loop
    if v_rows[v_place] < 0 then
      update private.execution_progress as p set remaining = p.remaining - 1
      where p.workflow_execution_id = p_task.workflow_execution_id
      returning p.remaining into v_left;
      v_ends := v_left = 0;
    else
      update public.agent_tasks as t set remaining = t.remaining - 1
      where t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = v_rows[v_place] and t.iteration = 0
        and t.map_index is null and t.status = 'blocked'
      returning t.remaining into v_left;
      if v_left = 0 then
        v_ready := array_append(v_ready, v_rows[v_place]);
      end if;
    end if;
  end loop;

  -- In a statement of its own: only a new snapshot sees the outputs of predecessors that committed while this one waited
  -- for a counter.
  if v_ready <> '{}' then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true,
        available_at = now() + make_interval(secs => (
          select n.delay_seconds from private.workflow_nodes as n where n.version_id = t.version_id and n.node_index = t.node_index
        )),
        input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
      -- One by one by the index, whatever the statistics say.
      where t.id = any (array(
        select (
          select x.id from public.agent_tasks as x
          where x.workflow_execution_id = p_task.workflow_execution_id and x.node_index = r.node_index and x.iteration = 0
            and x.map_index is null
        )
        from unnest(v_ready) as r (node_index)
      ))
      returning t.id, t.node_id, pg_column_size(t.input_data) > 131072 and octet_length(t.input_data::text) > 1048576 as is_large
    )
    select array_agg(c.id), min(c.node_id) filter (where c.is_large) into v_counted_ids, v_too_large
    from changed as c;
    if v_too_large is not null then
      perform private.refuse_large_input(v_too_large);
    end if;
    v_ids := v_ids || v_counted_ids;
  end if;
  return jsonb_build_object(
    'moved', case when v_ids is null then '{}' else jsonb_build_object('pending', v_ids) end,
    'end', case when v_ends then 'completed' end
  );
end
$$;
