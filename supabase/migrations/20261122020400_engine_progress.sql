-- What follows from a finished task: which edges are taken, what becomes pending, waiting or skipped, how loops turn, maps
-- spread and gather, workflows run inside workflows, and when an execution ends.
--
-- Who waits for whom. Every report first takes the execution's lock: shared by reports that cannot get in each other's
-- way, alone for whatever may close tasks that others hold (failures, cancelling, everything in a serial graph). In a
-- graph with conditions, edges are decided under a second lock, one completion at a time. Both are advisory locks of the
-- outermost execution, as what runs inside another may end it. Rows are locked after them, counters last.

create function private.enter_execution(p_root_execution_id uuid, p_alone boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(uuid_hash_extended(p_root_execution_id, 1));
  else
    perform pg_advisory_xact_lock_shared(uuid_hash_extended(p_root_execution_id, 1));
  end if;
end
$$;

create function private.enter_graph(p_root_execution_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(uuid_hash_extended(p_root_execution_id, 2));
end
$$;

-- What a caller does that found out too late that it needs the execution alone: it is rolled back and begins again so.
create function private.require_alone(p_alone boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not p_alone then
    raise exception using errcode = 'GE001', message = 'This step needs the execution alone.';
  end if;
end
$$;

create function private.add_event(p_execution_id uuid, p_project_id uuid, p_task_id uuid, p_type text, p_data jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values (p_execution_id, p_project_id, p_task_id, p_type, p_data);
end
$$;

create function private.refuse_large_input(p_node_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.refuse(
    'payload_too_large', format('The input of task %s would be over 1 MiB: report less output, or give the node an "input".', p_node_id),
    jsonb_build_object('node_id', p_node_id)
  );
end
$$;

-- The lists of moved tasks of two steps as one.
create function private.merge_moved(p_left jsonb, p_right jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_moved jsonb := p_left;
  v_status text;
begin
  for v_status in select k from jsonb_object_keys(p_right) as k loop
    v_moved := v_moved || jsonb_build_object(
      v_status, case when v_moved ? v_status then (v_moved -> v_status) || (p_right -> v_status) else p_right -> v_status end
    );
  end loop;
  return v_moved;
end
$$;

create function private.moved(p_status text, p_ids uuid[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when cardinality(p_ids) > 0 then jsonb_build_object(p_status, to_jsonb(p_ids)) else '{}' end;
end
$$;

-- One edge into a join (or the end, -1) of a plain graph is resolved: was it the last?
create function private.count_down(p_execution_id uuid, p_node_index integer, p_shard smallint)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_left integer;
begin
  if p_shard is not null then
    update private.countdowns as c set remaining = c.remaining - 1
    where c.workflow_execution_id = p_execution_id and c.node_index = p_node_index and c.shard = p_shard
    returning c.remaining into v_left;
    if v_left > 0 or p_shard = 0 then
      return v_left = 0;
    end if;
  end if;
  if p_node_index < 0 then
    update private.execution_progress as p set remaining = p.remaining - 1
    where p.workflow_execution_id = p_execution_id
    returning p.remaining into v_left;
  else
    update public.agent_tasks as t set remaining = t.remaining - 1
    where t.workflow_execution_id = p_execution_id and t.node_index = p_node_index and t.iteration = 0 and t.map_index is null
      and t.status = 'blocked'
    returning t.remaining into v_left;
  end if;
  return v_left = 0;
end
$$;

-- Behind a completed task of a plain graph, where every edge is taken. Costs the node's edges and no more. Answers like
-- settle: the tasks it moved, and "end" when nothing is left.
create function private.advance_plain(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_node record;
  v_input jsonb;
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

  -- In the order of the graph: two completions with successors in common wait in line instead of for each other.
  for v_place in 1 .. cardinality(v_node.counts) loop
    if private.count_down(p_task.workflow_execution_id, v_node.counts[v_place], v_node.count_shards[v_place]) then
      if v_node.counts[v_place] < 0 then
        v_ends := true;
      else
        v_ready := array_append(v_ready, v_node.counts[v_place]);
      end if;
    end if;
  end loop;

  -- In a statement of its own: only a new snapshot sees the outputs of predecessors that committed while this one waited
  -- for a counter.
  if v_ready <> '{}' then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true,
        available_at = now() + make_interval(secs => n.delay_seconds),
        input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
      from private.workflow_nodes as n
      where n.version_id = p_task.version_id and n.node_index = any (v_ready)
        and t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = n.node_index and t.iteration = 0
        and t.map_index is null
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

-- Does a predicate hold in a state? Whatever is not true is false: no data may stop an execution.
create function private.holds(p_state jsonb, p_predicate text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(private.read_path(p_state, p_predicate::jsonpath) = 'true', false);
end
$$;

-- Where a task's output stands in the state: by the turns of the loops around its node, outermost first, then by the node.
create function private.fold_order(p_execution_id uuid, p_version_id uuid, p_loops integer[], p_node_index integer)
returns integer[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_order integer[] := '{}';
  v_loop integer;
begin
  if p_loops = '{}' then
    return null;
  end if;
  foreach v_loop in array p_loops loop
    select v_order || e.source_index || coalesce(l.taken, 0) into v_order
    from private.workflow_edges as e
    left join private.execution_loops as l on l.workflow_execution_id = p_execution_id and l.edge_index = v_loop
    where e.version_id = p_version_id and e.edge_index = v_loop;
  end loop;
  return v_order || p_node_index;
end
$$;

-- Takes a loop edge: its body gets new tasks, one iteration on, and what was still open of the old one is cancelled. Edges
-- from outside keep the outcome they had. Answers the moved tasks and which of the new ones are ready.
create function private.fire_loop(p_execution_id uuid, p_edge private.workflow_edges)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_cancelled uuid[];
  v_blocked uuid[];
  v_ready uuid[];
begin
  insert into private.execution_loops as l (workflow_execution_id, edge_index, taken) values (p_execution_id, p_edge.edge_index, 1)
  on conflict (workflow_execution_id, edge_index) do update set taken = l.taken + 1;
  -- Loops inside begin anew; those that share the source go on counting, or two of them could turn for ever.
  update private.execution_loops as l set taken = 0, granted = 0, is_ended = false
  from private.workflow_edges as e
  where l.workflow_execution_id = p_execution_id and e.version_id = p_edge.version_id and e.edge_index = l.edge_index
    and e.source_index = any (p_edge.loop_body) and e.source_index <> p_edge.source_index;

  -- An edge between new tasks is undecided again, also where it leads out of a loop inside.
  delete from private.edge_outcomes as o
  using private.workflow_edges as e
  where o.workflow_execution_id = p_execution_id and e.version_id = p_edge.version_id and e.edge_index = o.edge_index
    and e.source_index = any (p_edge.loop_body) and e.target_index = any (p_edge.loop_body);

  v_cancelled := private.cancel_tasks(p_execution_id, p_edge.loop_body);
  with latest as (
    select t.* from unnest(p_edge.loop_body) as b (node_index)
    cross join lateral (
      select t.* from public.agent_tasks as t
      where t.workflow_execution_id = p_execution_id and t.node_index = b.node_index and t.map_index is null
      order by t.iteration desc
      limit 1
    ) as t
  ), edges as (
    -- What a new task still waits for: edges inside the body, and those from outside that are undecided.
    select e.target_index, count(*) filter (where o.edge_index is null) as remaining, coalesce(bool_or(o.is_live), false) as has_live_edge
    from private.workflow_edges as e
    left join private.edge_outcomes as o
      on o.workflow_execution_id = p_execution_id and o.edge_index = e.edge_index and not e.source_index = any (p_edge.loop_body)
    where e.version_id = p_edge.version_id and e.target_index = any (p_edge.loop_body) and e.loop_max_iterations is null
    group by e.target_index
  ), added as (
    insert into public.agent_tasks (
      workflow_execution_id, project_id, version_id, agent_id, agent_type, node_id, node_index, node_type, iteration, priority,
      status, remaining, has_live_edge, max_attempts, timeout_seconds, fold_order
    )
    select
      l.workflow_execution_id, l.project_id, l.version_id, a.id, l.agent_type, l.node_id, l.node_index, l.node_type, l.iteration + 1,
      l.priority, 'blocked', coalesce(e.remaining, 0), coalesce(e.has_live_edge, false) or l.node_index = p_edge.target_index,
      n.max_attempts, l.timeout_seconds, private.fold_order(p_execution_id, l.version_id, n.loops, l.node_index)
    from latest as l
    join private.workflow_nodes as n on n.version_id = l.version_id and n.node_index = l.node_index
    left join edges as e on e.target_index = l.node_index
    left join public.agents as a on a.id = l.agent_id
    order by l.node_index
    returning id, node_index, version_id, remaining, has_live_edge
  )
  select array_agg(a.id), array_agg(a.id) filter (where a.has_live_edge and (a.remaining = 0 or n.join_mode = 'any'))
  into v_blocked, v_ready
  from added as a
  join private.workflow_nodes as n on n.version_id = a.version_id and n.node_index = a.node_index;
  return jsonb_build_object(
    'moved', private.moved('cancelled', v_cancelled) || private.moved('blocked', v_blocked), 'ready', to_jsonb(v_ready)
  );
end
$$;

-- The source of loops is resolved: the first of its loop edges that is live and not used up is taken, else all have ended.
create function private.turn_loops(p_task public.agent_tasks)
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
      v_state := coalesce(v_state, private.fold_state(p_task.workflow_execution_id));
      continue when not private.holds(v_state, v_edge.predicate);
    end if;
    if coalesce(v_taken, 0) < v_edge.loop_max_iterations + coalesce(v_granted, 0) then
      return private.fire_loop(p_task.workflow_execution_id, v_edge);
    elsif v_edge.loop_on_exhausted = 'fail' then
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

-- Cancels the open tasks of an execution (of some nodes, or all) in the order of the graph, and what runs inside them.
create function private.cancel_tasks(p_execution_id uuid, p_nodes integer[])
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_cancelled uuid[];
  v_child_id uuid;
begin
  with open as (
    select t.id from public.agent_tasks as t
    where t.workflow_execution_id = p_execution_id and t.status in ('blocked', 'pending', 'running', 'waiting')
      and (p_nodes is null or t.node_index = any (p_nodes))
    order by t.node_index, t.iteration, t.map_index
    for no key update
  ), closed as (
    update public.agent_tasks as t
    set status = 'cancelled', completed_at = now(), lease_expires_at = null
    from open as o
    where t.id = o.id
    returning t.id
  )
  select array_agg(c.id) into v_cancelled from closed as c;
  for v_child_id in
    select x.id from public.workflow_executions as x
    where x.parent_task_id = any (v_cancelled) and x.status in ('pending', 'running')
    order by x.id
  loop
    perform private.end_execution(v_child_id, 'cancelled', 'The execution it was part of ended.', '{}', true);
  end loop;
  return v_cancelled;
end
$$;

-- Ends an execution: closes its open tasks, folds its state, says so, and tells the task it ran inside of, if any.
create function private.end_execution(p_execution_id uuid, p_status text, p_error_message text, p_data jsonb, p_alone boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution record;
  v_cancelled uuid[];
begin
  select x.status, x.project_id, p.mode into v_execution
  from public.workflow_executions as x
  join private.execution_progress as p on p.workflow_execution_id = x.id
  where x.id = p_execution_id;
  if v_execution.status not in ('pending', 'running') then
    return;
  end if;
  -- Where nothing can be skipped over, what is complete has nothing open.
  if p_status <> 'completed' or v_execution.mode = 'serial' then
    v_cancelled := private.cancel_tasks(p_execution_id, null);
  end if;
  perform private.close_execution(p_execution_id, p_status, p_error_message);
  perform private.add_event(
    p_execution_id, v_execution.project_id, null, 'execution.' || p_status,
    p_data || jsonb_strip_nulls(jsonb_build_object('error', p_error_message)) || private.moved('cancelled', v_cancelled)
  );
  perform private.tell_parent(p_execution_id, p_alone);
end
$$;

-- The row of an execution that ends, after the last write to its tasks: so the fold holds every output.
create function private.close_execution(p_execution_id uuid, p_status text, p_error_message text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.workflow_executions as x
  set status = p_status, completed_at = now(), error_message = p_error_message, state = private.fold_state(p_execution_id)
  where x.id = p_execution_id;
  if exists (
    select from private.execution_progress as p where p.workflow_execution_id = p_execution_id and p.concurrency_limit is not null
  ) then
    delete from private.limited_executions as l where l.workflow_execution_id = p_execution_id;
  end if;
end
$$;

create function private.tell_parent(p_execution_id uuid, p_alone boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if exists (
    select from private.execution_progress as p where p.workflow_execution_id = p_execution_id and p.depth > 0
  ) then
    perform private.resume_parent(p_execution_id, p_alone);
  end if;
end
$$;

-- The end of a plain execution with its last task, which has nothing open: both events in one statement.
create function private.complete_plain(p_task public.agent_tasks, p_data jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.close_execution(p_task.workflow_execution_id, 'completed', null);
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values
    (p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.completed', p_data),
    (p_task.workflow_execution_id, p_task.project_id, null, 'execution.completed', '{}');
  perform private.tell_parent(p_task.workflow_execution_id, false);
end
$$;

-- A map whose turn has come: one task per element of its list. Answers how it stands: waiting for its elements,
-- completed because there are none, or failed, and why.
create function private.expand_map(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_elements constant integer := 10000;
  v_node private.workflow_nodes;
  v_state jsonb := private.fold_state(p_task.workflow_execution_id);
  v_path text;
  v_items jsonb;
  v_count integer;
  v_children uuid[];
  v_too_large integer;
begin
  select n.* into v_node
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  v_path := v_node.options ->> 'over';
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

-- An element of a map is done: when it was the last, the map is, and what lies behind it is settled. Answers like settle.
create function private.finish_element(p_task public.agent_tasks, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_left integer;
  v_map public.agent_tasks;
  v_progress private.execution_progress;
  v_output jsonb;
  v_outcome jsonb;
begin
  update private.countdowns as c set remaining = c.remaining - 1
  where c.workflow_execution_id = p_task.workflow_execution_id and c.node_index = p_task.node_index
    and c.shard = p_task.map_index % 16
  returning c.remaining into v_left;
  if v_left > 0 then
    return '{"moved": {}}';
  end if;
  update public.agent_tasks as t set remaining = t.remaining - 1
  where t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = p_task.node_index
    and t.iteration = p_task.iteration and t.map_index is null and t.status = 'waiting'
  returning t.* into v_map;
  if v_map.id is null or v_map.remaining > 0 then
    return '{"moved": {}}';
  end if;

  select p.* into v_progress from private.execution_progress as p where p.workflow_execution_id = v_map.workflow_execution_id;
  perform private.enter_graph(v_progress.root_execution_id);
  select json_agg(coalesce(t.output_data, 'null') order by t.map_index)::jsonb into v_output
  from public.agent_tasks as t
  where t.workflow_execution_id = v_map.workflow_execution_id and t.node_index = v_map.node_index
    and t.iteration = v_map.iteration and t.map_index is not null;
  if octet_length(v_output::text) > 1048576 then
    perform private.refuse(
      'payload_too_large', format('The gathered output of map %s would be over 1 MiB: report less.', v_map.node_id),
      jsonb_build_object('node_id', v_map.node_id)
    );
  end if;
  update public.agent_tasks as t set status = 'completed', output_data = v_output, completed_at = now() where t.id = v_map.id;
  v_outcome := private.settle(v_map.workflow_execution_id, array[v_map.id], '{}', false, p_alone);
  return v_outcome || jsonb_build_object(
    'moved', private.merge_moved(private.moved('completed', array[v_map.id]), v_outcome -> 'moved')
  );
end
$$;

-- A task of type workflow whose turn has come: the workflow's current version (or the one named) starts inside it.
-- Answers like expand_map.
create function private.start_child(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_depth constant integer := 10;
  v_options jsonb;
  v_version public.workflow_versions;
  v_depth integer;
  v_input jsonb := private.task_input(p_task.workflow_execution_id, p_task.version_id, p_task.node_index);
  v_child_id uuid;
  v_child public.workflow_executions;
begin
  select n.options into v_options
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  select p.depth into v_depth from private.execution_progress as p where p.workflow_execution_id = p_task.workflow_execution_id;
  select v.* into v_version
  from public.workflows as w
  join public.workflow_versions as v on v.workflow_id = w.id
  where w.id = (v_options ->> 'workflow_id')::uuid and w.project_id = p_task.project_id
    and v.version = coalesce(private.as_integer(v_options -> 'version'), w.current_version);
  if v_version.id is null then
    return jsonb_build_object('error', format('The workflow of %s is gone.', p_task.node_id));
  elsif v_depth >= c_max_depth then
    return jsonb_build_object('error', format('Workflows are nested more than %s deep at %s.', c_max_depth, p_task.node_id));
  elsif octet_length(v_input::text) > 1048576 then
    perform private.refuse_large_input(p_task.node_id);
  end if;
  v_child_id := private.create_execution(v_version, v_input, null, p_task.id, null);
  select x.* into v_child from public.workflow_executions as x where x.id = v_child_id;
  if v_child.status = 'failed' then
    return jsonb_build_object('error', v_child.error_message);
  elsif v_child.status = 'completed' and octet_length(v_child.state::text) > 1048576 then
    return jsonb_build_object('error', format('The final state of %s is over 1 MiB.', p_task.node_id));
  end if;
  update public.agent_tasks as t
  set status = case when v_child.status = 'completed' then 'completed' else 'waiting' end, remaining = 0, input_data = v_input,
    started_at = now(), output_data = case when v_child.status = 'completed' then v_child.state end,
    completed_at = case when v_child.status = 'completed' then now() end
  where t.id = p_task.id;
  return jsonb_build_object('status', case when v_child.status = 'completed' then 'completed' else 'waiting' end);
end
$$;

-- What ran inside a task has ended: its state is the task's output, or its failure the task's. A task that does not wait
-- (its own execution is ending, or it is only now starting this one) has no need to know.
create function private.resume_parent(p_execution_id uuid, p_alone boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_child public.workflow_executions;
  v_task public.agent_tasks;
  v_root uuid;
begin
  select x.* into v_child from public.workflow_executions as x where x.id = p_execution_id;
  select p.root_execution_id into v_root from private.execution_progress as p where p.workflow_execution_id = p_execution_id;
  perform private.enter_graph(v_root);
  select t.* into v_task from public.agent_tasks as t where t.id = v_child.parent_task_id for no key update;
  if v_task.status is distinct from 'waiting' then
    return;
  end if;
  if v_child.status <> 'completed' then
    perform private.give_up(v_task, coalesce(v_child.error_message, format('The workflow inside was %s.', v_child.status)), '{}', p_alone);
  elsif octet_length(v_child.state::text) > 1048576 then
    perform private.give_up(v_task, format('The final state of %s is over 1 MiB.', v_task.node_id), '{}', p_alone);
  else
    update public.agent_tasks as t set status = 'completed', output_data = v_child.state, completed_at = now()
    where t.id = v_task.id;
    perform private.record_step(
      v_task, 'task.completed', '{}', private.settle(v_task.workflow_execution_id, array[v_task.id], '{}', false, p_alone), p_alone
    );
  end if;
end
$$;

-- Writes the event of a step with all it moved, and ends the execution where the outcome says so. Answers the moved tasks.
create function private.record_step(p_task public.agent_tasks, p_type text, p_data jsonb, p_outcome jsonb, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values (p_task.workflow_execution_id, p_task.project_id, p_task.id, p_type, p_data || (p_outcome -> 'moved'));
  if p_outcome ->> 'end' is not null then
    perform private.end_execution(p_task.workflow_execution_id, p_outcome ->> 'end', p_outcome ->> 'error', '{}', p_alone);
  end if;
  return p_outcome -> 'moved';
end
$$;

-- A task has failed for good: the execution fails, or goes on as its node's on_failure says. Answers the moved tasks.
create function private.give_up(p_task public.agent_tasks, p_message text, p_data jsonb, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_on_failure text := private.close_failed(p_task, p_message);
  v_task public.agent_tasks := p_task;
  v_outcome jsonb;
begin
  if v_on_failure = 'fail' then
    perform private.require_alone(p_alone);
    v_outcome := jsonb_build_object(
      'moved', '{}'::jsonb, 'end', 'failed', 'error',
      format('Task %s failed: %s', p_task.node_id, left(coalesce(p_message, 'no reason given'), 500))
    );
  elsif p_task.map_index is not null then
    v_outcome := private.finish_element(p_task, p_alone);
  else
    v_outcome := private.settle(p_task.workflow_execution_id, array[p_task.id], '{}', false, p_alone);
  end if;
  return private.record_step(
    v_task, case when v_on_failure = 'skip' then 'task.skipped' else 'task.failed' end, p_data, v_outcome, p_alone
  );
end
$$;

-- The same where nobody is there to be refused (a dead worker's task, or a failure that cannot be anything else): what
-- cannot go on, as an input behind it would be too large, ends the execution. What cannot even end (a condition that
-- takes longer than a statement may, more data than a value can hold, the same fault in what it runs inside of) is broken
-- off: reclaiming happens in anybody's claim, and one execution must not stop the claims of all.
create function private.give_up_or_end(p_task public.agent_tasks, p_message text, p_data jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_reason text;
begin
  begin
    return private.give_up(p_task, p_message, p_data, true);
  exception
    when sqlstate 'PT413' then
      get stacked diagnostics v_reason = message_text;
      update public.agent_tasks as t
      set status = 'failed', completed_at = now(), lease_expires_at = null, error_message = p_message, remaining = 0
      where t.id = p_task.id;
      perform private.add_event(p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.failed', p_data);
      perform private.end_execution(p_task.workflow_execution_id, 'failed', v_reason, '{}', true);
      return '{}';
  end;
exception
  when sqlstate 'PT413' or program_limit_exceeded or query_canceled then
    perform private.break_off(p_task, p_message, p_data, case
      when sqlstate = '57014' then 'What follows in this workflow took longer than a statement may.'
      else 'What follows in this workflow is more than can be stored.'
    end);
    return '{}';
end
$$;

-- Ends an execution with all that it runs inside of and that runs inside it, without reading any of their data: no
-- condition, no input, no fold. The state stays what was put in.
create function private.break_off(p_task public.agent_tasks, p_message text, p_data jsonb, p_reason text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_root uuid;
  v_tree uuid[];
begin
  select p.root_execution_id into v_root
  from private.execution_progress as p where p.workflow_execution_id = p_task.workflow_execution_id;
  v_tree := array(
    with recursive tree as (
      select v_root as id
      union
      select x.id
      from tree as r
      join public.agent_tasks as t on t.workflow_execution_id = r.id and t.node_type = 'workflow'
      join public.workflow_executions as x on x.parent_task_id = t.id
    )
    select r.id from tree as r
  );
  update public.agent_tasks as t
  set status = 'failed', completed_at = now(), lease_expires_at = null, error_message = p_message, remaining = 0
  where t.id = p_task.id;
  perform private.add_event(p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.failed', p_data);
  with cancelled as (
    update public.agent_tasks as t set status = 'cancelled', completed_at = now(), lease_expires_at = null
    where t.workflow_execution_id = any (v_tree) and t.status in ('blocked', 'pending', 'running', 'waiting')
    returning t.id, t.workflow_execution_id
  ), ended as (
    update public.workflow_executions as x
    set status = 'failed', completed_at = now(), error_message = p_reason, state = x.input
    where x.id = any (v_tree) and x.status in ('pending', 'running')
    returning x.id, x.project_id
  )
  insert into public.execution_events (workflow_execution_id, project_id, type, data)
  select e.id, e.project_id, 'execution.failed',
    jsonb_build_object('error', p_reason) || private.moved('cancelled', (
      select array_agg(c.id) from cancelled as c where c.workflow_execution_id = e.id
    ))
  from ended as e;
  delete from private.limited_executions as l where l.workflow_execution_id = any (v_tree);
end
$$;

-- Closes the row of a task that failed for good, and answers the node's on_failure.
create function private.close_failed(p_task public.agent_tasks, p_message text)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_on_failure text;
begin
  select n.on_failure into v_on_failure
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  update public.agent_tasks as t
  set status = case when v_on_failure = 'skip' then 'skipped' else 'failed' end, completed_at = now(), lease_expires_at = null,
    error_message = p_message, remaining = 0
  where t.id = p_task.id;
  return v_on_failure;
end
$$;

-- Decides every edge that the given finished tasks (or the start) have made decidable, sets going what is ready (p_ready
-- to begin with), and goes on wave by wave until nothing more follows; a failure ends it, but only then, so that a retry
-- finds nothing half decided. Answers {"moved": {status: [task ids]}, "end", "error"}; the caller writes the event and ends the execution.
create function private.settle(p_execution_id uuid, p_done uuid[], p_ready uuid[], p_from_start boolean, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_version_id uuid;
  v_has_predicates boolean;
  v_done uuid[] := p_done;
  v_from_start boolean := p_from_start;
  v_moved jsonb := '{}';
  v_next uuid[];
  v_ready uuid[] := p_ready;
  v_error text;
  v_skipped uuid[];
  v_ended integer[];
  v_task public.agent_tasks;
  v_step jsonb;
  v_state jsonb;
  v_edges integer[];
  v_targets integer[];
  v_lives boolean[];
  v_recorded boolean[];
  v_pending uuid[];
  v_waiting uuid[];
  v_too_large text;
  v_left integer;
begin
  select g.version_id, g.has_predicates into v_version_id, v_has_predicates
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id;
  while v_from_start or cardinality(v_done) > 0 or cardinality(v_ready) > 0 loop
    v_next := '{}';
    v_ended := '{}';

    for v_task in
      select t.* from public.agent_tasks as t
      where t.id = any (v_done) and exists (
        select from private.workflow_edges as e
        where e.version_id = v_version_id and e.source_index = t.node_index and e.loop_max_iterations is not null
      )
      order by t.node_index
    loop
      continue when not private.is_current(v_task);
      v_step := private.turn_loops(v_task);
      if v_step ? 'error' then
        v_error := coalesce(v_error, v_step ->> 'error');
      elsif v_step ? 'ready' then
        v_moved := private.merge_moved(v_moved, v_step -> 'moved');
        v_ready := v_ready || array(select r::uuid from jsonb_array_elements_text(v_step -> 'ready') as r);
      else
        v_ended := v_ended || array(select r::integer from jsonb_array_elements_text(v_step -> 'ended') as r);
      end if;
    end loop;

    -- The edges that can be decided now: those of what is done, and those that waited for a loop to end.
    v_state := null;
    if v_has_predicates and exists (
      select from private.workflow_edges as e
      where e.version_id = v_version_id and e.predicate is not null
        and (
          e.source_index in (select t.node_index from public.agent_tasks as t where t.id = any (v_done))
          or (v_from_start and e.source_index = 0) or e.gates && v_ended
        )
    ) then
      v_state := private.fold_state(p_execution_id);
    end if;
    with sources as (
      select t.node_index, t.status, t.label, t.node_type from public.agent_tasks as t
      where t.id = any (v_done) and private.is_current(t)
      union
      select t.node_index, t.status, t.label, t.node_type
      from (
        select distinct b.node_index from private.workflow_edges as l cross join lateral unnest(l.loop_body) as b (node_index)
        where l.version_id = v_version_id and l.edge_index = any (v_ended)
      ) as b
      cross join lateral (
        select t.* from public.agent_tasks as t
        where t.workflow_execution_id = p_execution_id and t.node_index = b.node_index and t.map_index is null
        order by t.iteration desc
        limit 1
      ) as t
      where t.status in ('completed', 'failed', 'skipped')
      union all
      select 0, 'completed', null, 'start' where v_from_start
    ), decided as (
      select
        e.edge_index, e.target_index, e.is_recorded,
        s.status <> 'skipped' and (e.label is null or e.label = coalesce(s.label, ''))
          and (s.node_type <> 'approval' or e.label is not null or e.predicate is not null or coalesce(s.label, '') = 'approved')
          and (e.predicate is null or private.holds(v_state, e.predicate)) as is_live
      from sources as s
      join private.workflow_edges as e on e.version_id = v_version_id and e.source_index = s.node_index
      where e.loop_max_iterations is null
        and (
          e.gates is null
          or not exists (
            select from unnest(e.gates) as g (edge_index)
            left join private.execution_loops as l on l.workflow_execution_id = p_execution_id and l.edge_index = g.edge_index
            where not coalesce(l.is_ended, false)
          )
        )
        and (e.gates is null or not exists (
          select from private.edge_outcomes as o where o.workflow_execution_id = p_execution_id and o.edge_index = e.edge_index
        ))
        -- An edge whose source was done before is decided now only if it waited for one of the loops that have just ended.
        and (s.node_index = 0 or e.gates && v_ended or exists (
          select from public.agent_tasks as t where t.id = any (v_done) and t.node_index = s.node_index
        ))
    )
    select array_agg(d.edge_index), array_agg(d.target_index), array_agg(d.is_live), array_agg(d.is_recorded)
    into v_edges, v_targets, v_lives, v_recorded
    from decided as d;

    if v_edges is not null then
      if true = any (v_recorded) then
        insert into private.edge_outcomes (workflow_execution_id, edge_index, is_live)
        select p_execution_id, d.edge_index, d.is_live
        from unnest(v_edges, v_lives, v_recorded) as d (edge_index, is_live, is_recorded)
        where d.is_recorded
        on conflict (workflow_execution_id, edge_index) do update set is_live = excluded.is_live;
      end if;
      if array_position(v_targets, null) is not null then
        update private.execution_progress as p
        set remaining = p.remaining - (select count(*) from unnest(v_targets) as t where t is null)
        where p.workflow_execution_id = p_execution_id;
      end if;
      with hits as (
        select d.target_index, count(*)::integer as n, bool_or(d.is_live) as is_live
        from unnest(v_targets, v_lives) as d (target_index, is_live)
        where d.target_index is not null
        group by d.target_index
      ), changed as (
        update public.agent_tasks as t
        set remaining = greatest(t.remaining - h.n, 0), has_live_edge = t.has_live_edge or h.is_live
        from hits as h
        cross join lateral (
          select c.id from public.agent_tasks as c
          where c.workflow_execution_id = p_execution_id and c.node_index = h.target_index and c.map_index is null
          order by c.iteration desc
          limit 1
        ) as latest
        where t.id = latest.id and t.status = 'blocked'
        returning t.id, t.version_id, t.node_index, t.remaining, t.has_live_edge
      )
      select
        v_ready || coalesce(array_agg(c.id) filter (where c.has_live_edge and (c.remaining = 0 or n.join_mode = 'any')), '{}'),
        array_agg(c.id) filter (where c.remaining = 0 and not c.has_live_edge)
      into v_ready, v_skipped
      from changed as c
      join private.workflow_nodes as n on n.version_id = c.version_id and n.node_index = c.node_index;
      if v_skipped is not null then
        update public.agent_tasks as t set status = 'skipped', completed_at = now() where t.id = any (v_skipped);
        v_moved := private.merge_moved(v_moved, private.moved('skipped', v_skipped));
        v_next := v_skipped;
      end if;
    end if;

    if cardinality(v_ready) > 0 then
      with changed as (
        update public.agent_tasks as t
        set status = case t.node_type when 'agent' then 'pending' else 'waiting' end, remaining = 0,
          available_at = now() + make_interval(secs => n.delay_seconds),
          input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
        from private.workflow_nodes as n
        where t.id = any (v_ready) and t.node_type in ('agent', 'approval') and t.status = 'blocked'
          and n.version_id = t.version_id and n.node_index = t.node_index
        returning t.id, t.node_index, t.node_id, t.status, octet_length(t.input_data::text) as size
      )
      select
        array_agg(c.id order by c.node_index) filter (where c.status = 'pending'),
        array_agg(c.id order by c.node_index) filter (where c.status = 'waiting'),
        min(c.node_id) filter (where c.size > 1048576)
      into v_pending, v_waiting, v_too_large
      from changed as c;
      if v_too_large is not null then
        perform private.refuse_large_input(v_too_large);
      end if;
      v_moved := private.merge_moved(v_moved, private.moved('pending', v_pending) || private.moved('waiting', v_waiting));

      for v_task in
        select t.* from public.agent_tasks as t
        where t.id = any (v_ready) and t.node_type in ('map', 'workflow') and t.status = 'blocked'
        order by t.node_index
      loop
        v_step := case v_task.node_type when 'map' then private.expand_map(v_task) else private.start_child(v_task) end;
        if v_step ? 'error' then
          case private.close_failed(v_task, v_step ->> 'error')
            when 'fail' then
              v_error := coalesce(v_error, format('Task %s failed: %s', v_task.node_id, v_step ->> 'error'));
              v_moved := private.merge_moved(v_moved, private.moved('failed', array[v_task.id]));
            when 'skip' then
              v_next := array_append(v_next, v_task.id);
              v_moved := private.merge_moved(v_moved, private.moved('skipped', array[v_task.id]));
            else
              v_next := array_append(v_next, v_task.id);
              v_moved := private.merge_moved(v_moved, private.moved('failed', array[v_task.id]));
          end case;
        else
          v_moved := private.merge_moved(
            v_moved, private.moved(v_step ->> 'status', array[v_task.id]) || jsonb_strip_nulls(jsonb_build_object('pending', v_step -> 'pending'))
          );
          if v_step ->> 'status' = 'completed' then
            v_next := array_append(v_next, v_task.id);
          end if;
        end if;
      end loop;
    end if;

    v_done := v_next;
    v_ready := '{}';
    v_from_start := false;
  end loop;

  if v_error is not null then
    perform private.require_alone(p_alone);
    return jsonb_build_object('moved', v_moved, 'end', 'failed', 'error', v_error);
  end if;
  select p.remaining into v_left from private.execution_progress as p where p.workflow_execution_id = p_execution_id;
  return jsonb_build_object('moved', v_moved, 'end', case when v_left = 0 then 'completed' end);
end
$$;

-- Is a task the latest of its node, and no element of a map? Only such a one decides edges.
create function private.is_current(p_task public.agent_tasks)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return p_task.map_index is null and p_task.iteration = (
    select t.iteration from public.agent_tasks as t
    where t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = p_task.node_index and t.map_index is null
    order by t.iteration desc
    limit 1
  );
end
$$;
