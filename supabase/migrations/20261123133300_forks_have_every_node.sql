-- A fork leaves out the tasks that a turn of a loop had cancelled: a node that the first turn did not come to has none of that
-- turn there. What began anew in a fork of that fork was copied from the first turns, so such a node was lost: it never ran, and
-- what waited for it went on without it, or for ever. What begins anew is made from the graph, as in every start.
create or replace function private.fork_tasks(p_execution_id uuid, p_from_node text, p_input jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_source public.workflow_executions;
  v_version public.workflow_versions;
  v_from_index integer;
  v_anew integer[];
  v_input jsonb;
  v_execution_id uuid;
  v_mode text;
  v_kept uuid[];
  v_current uuid[];
  v_ready uuid[];
  v_kept_moved jsonb;
  v_outcome jsonb;
begin
  if jsonb_typeof(coalesce(p_input, '{}')) <> 'object' then
    perform private.refuse_field('input', 'must be an object');
  end if;
  v_source := private.lock_execution(p_execution_id);
  select v.* into v_version from public.workflow_versions as v where v.id = v_source.version_id;
  select n.node_index into v_from_index from private.workflow_nodes as n where n.version_id = v_version.id and n.node_id = p_from_node;
  if v_from_index is null then
    perform private.refuse('node_not_found', format('The workflow has no node %s.', coalesce(p_from_node, '')));
  end if;
  v_input := v_source.input || coalesce(p_input, '{}');
  if octet_length(v_input::text) > 1048576 then
    perform private.refuse('payload_too_large', 'The input is over 1 MiB.');
  end if;
  v_anew := private.forked_nodes(p_execution_id, v_version.id, v_from_index);
  -- Whoever approved saw another input. Those who may fork are more than those who may approve, and one is fewer than several.
  if v_input <> v_source.input then
    v_anew := array(
      select unnest(v_anew)
      union
      select n.node_index
      from private.approved_nodes(p_execution_id) as a (node_index)
      cross join lateral unnest(private.forked_nodes(p_execution_id, v_version.id, a.node_index)) as n (node_index)
    );
  end if;

  insert into public.workflow_executions (workflow_id, project_id, version_id, version, state, input, started_by, forked_from)
  values (v_source.workflow_id, v_source.project_id, v_version.id, v_version.version, v_input, v_input, auth.uid(), p_execution_id)
  returning id into v_execution_id;
  select g.mode into v_mode from private.workflow_graphs as g where g.version_id = v_version.id;
  insert into private.execution_progress (workflow_execution_id, remaining, root_execution_id, mode, concurrency_limit)
  select v_execution_id, g.end_edges, v_execution_id, case when g.mode = 'serial' then 'serial' else 'graph' end, g.concurrency_limit
  from private.workflow_graphs as g where g.version_id = v_version.id;
  insert into private.limited_executions (workflow_execution_id, project_id, concurrency_limit)
  select v_execution_id, v_source.project_id, g.concurrency_limit
  from private.workflow_graphs as g where g.version_id = v_version.id and g.concurrency_limit is not null;

  insert into private.execution_loops (workflow_execution_id, edge_index, taken, granted, is_ended)
  select v_execution_id, l.edge_index, l.taken, l.granted, l.is_ended
  from private.execution_loops as l
  join private.workflow_edges as e on e.version_id = v_version.id and e.edge_index = l.edge_index
  where l.workflow_execution_id = p_execution_id and not e.source_index = any (v_anew);
  insert into private.edge_outcomes (workflow_execution_id, edge_index, is_live)
  select v_execution_id, o.edge_index, o.is_live
  from private.edge_outcomes as o
  join private.workflow_edges as e on e.version_id = v_version.id and e.edge_index = o.edge_index
  where o.workflow_execution_id = p_execution_id and not e.source_index = any (v_anew) and not e.target_index = any (v_anew);

  with source as (
    select t.*, t.node_index = any (v_anew) as is_anew
    from public.agent_tasks as t
    where t.workflow_execution_id = p_execution_id
  ), added as (
    insert into public.agent_tasks (
      workflow_execution_id, project_id, version_id, agent_id, agent_type, node_id, node_index, node_type, iteration, map_index,
      priority, status, remaining, has_live_edge, attempt, max_attempts, timeout_seconds, available_at, worker_id, input_data,
      output_data, label, error_message, execution_time_ms, started_at, completed_at, fold_order
    )
    select
      v_execution_id, s.project_id, s.version_id, s.agent_id, s.agent_type, s.node_id, s.node_index, s.node_type, s.iteration,
      s.map_index, s.priority, s.status, 0, s.has_live_edge, s.attempt, s.max_attempts, s.timeout_seconds, s.available_at, s.worker_id,
      s.input_data, s.output_data, s.label, s.error_message, s.execution_time_ms, s.started_at, s.completed_at, s.fold_order
    from source as s
    where not s.is_anew and s.status <> 'cancelled'
    union all
    select
      v_execution_id, v_source.project_id, v_version.id, a.id, coalesce(n.agent_type, n.type), n.node_id, n.node_index, n.type,
      0, null, n.priority, 'blocked', n.incoming, false, 0, n.max_attempts, n.timeout_seconds,
      now(), null, null, null, null, null, null, null, null,
      private.fold_order(v_execution_id, v_version.id, n.loops, n.node_index)
    from private.workflow_nodes as n
    left join public.agents as a on a.id = n.agent_id
    where n.version_id = v_version.id and n.node_index = any (v_anew)
    returning id, node_index, status, remaining
  )
  select
    array_agg(a.id) filter (where a.status <> 'blocked'),
    coalesce(array_agg(a.id) filter (where a.status = 'blocked' and a.remaining = 0), '{}')
  into v_kept, v_ready
  from added as a;
  v_current := array(
    select t.id from public.agent_tasks as t where t.id = any (v_kept) and private.is_current(t)
  );
  select coalesce(json_object_agg(k.status, k.ids), '{}')::jsonb into v_kept_moved
  from (select t.status, json_agg(t.id) as ids from public.agent_tasks as t where t.id = any (v_kept) group by t.status) as k;

  v_outcome := private.settle(v_execution_id, v_current, v_ready, v_mode <> 'plain', true);
  perform private.add_event(
    v_execution_id, v_source.project_id, null, 'execution.forked',
    jsonb_build_object('version', v_version.version, 'forked_from', p_execution_id, 'from_node', p_from_node)
      || private.merge_moved(v_kept_moved, v_outcome -> 'moved')
  );
  if v_outcome ->> 'end' is not null then
    perform private.end_execution(v_execution_id, v_outcome ->> 'end', v_outcome ->> 'error', '{}', true);
  end if;
  return private.start_answer(v_execution_id, false) - 'replayed';
end
$$;
