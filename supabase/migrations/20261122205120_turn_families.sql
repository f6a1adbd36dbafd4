-- How families of loops turn.

create or replace function private.fire_loop(p_execution_id uuid, p_edge private.workflow_edges)
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
  -- Loops that the turn repeats are open again. Those inside begin anew; those that share the source, or the family, go on
  -- counting, or two of them could turn for ever.
  update private.execution_loops as l
  set
    is_ended = false,
    taken = case when n.begins_anew then 0 else l.taken end,
    granted = case when n.begins_anew then 0 else l.granted end
  from private.workflow_edges as e
  cross join lateral (
    select e.source_index <> p_edge.source_index
      and (e.loop_sources[cardinality(e.loop_sources)], cardinality(e.loop_body))
        < (p_edge.loop_sources[cardinality(p_edge.loop_sources)], cardinality(p_edge.loop_body)) as begins_anew
  ) as n
  where l.workflow_execution_id = p_execution_id and e.version_id = p_edge.version_id and e.edge_index = l.edge_index
    and e.source_index = any (p_edge.loop_body);

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

-- Where a task's output stands in the state: by the turns of the loops around its node, outermost first, then by the node.
-- The turns of a family are those of all its loops.
create or replace function private.fold_order(p_execution_id uuid, p_version_id uuid, p_loops integer[], p_node_index integer)
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
    select v_order || e.loop_sources[cardinality(e.loop_sources)] || (
      select coalesce(sum(l.taken), 0)::integer
      from private.workflow_edges as p
      join private.execution_loops as l on l.workflow_execution_id = p_execution_id and l.edge_index = p.edge_index
      where p.version_id = p_version_id and p.target_index = e.target_index and p.loop_body = e.loop_body
        and p.loop_sources = e.loop_sources and (p.edge_index = e.edge_index or cardinality(e.loop_sources) > 1)
    ) into v_order
    from private.workflow_edges as e
    where e.version_id = p_version_id and e.edge_index = v_loop;
  end loop;
  return v_order || p_node_index;
end
$$;

-- The loops of one source, tried in the order of the definition: the first that is live and not used up is taken, else all
-- have ended.
create function private.try_loops(p_task public.agent_tasks)
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

-- A source of loops is resolved: what it was the last to be waited for is decided, source by source in the order of the
-- graph. A loop alone waits for its own source, a family for all of its sources.
create or replace function private.turn_loops(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_source public.agent_tasks;
  v_step jsonb;
  v_ended jsonb := '[]';
begin
  for v_source in
    select t.*
    from (
      select distinct e.source_index from private.workflow_edges as e
      where e.version_id = p_task.version_id and p_task.node_index = any (e.loop_sources)
    ) as s
    cross join lateral (
      select t.* from public.agent_tasks as t
      where t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = s.source_index and t.map_index is null
      order by t.iteration desc
      limit 1
    ) as t
    where not exists (
      select from private.workflow_edges as e
      cross join lateral unnest(e.loop_sources) as w (node_index)
      join private.workflow_nodes as n on n.version_id = e.version_id and n.node_index = w.node_index
      cross join lateral (
        select c.status from public.agent_tasks as c
        where c.workflow_execution_id = p_task.workflow_execution_id and c.node_index = w.node_index and c.map_index is null
        order by c.iteration desc
        limit 1
      ) as c
      where e.version_id = p_task.version_id and e.source_index = s.source_index
        and not (c.status in ('completed', 'skipped') or c.status = 'failed' and n.on_failure = 'continue')
    )
    order by t.node_index
  loop
    v_step := private.try_loops(v_source);
    if not v_step ? 'ended' then
      return v_step;
    end if;
    v_ended := v_ended || coalesce(nullif(v_step -> 'ended', 'null'), '[]');
  end loop;
  return jsonb_build_object('ended', v_ended);
end
$$;
