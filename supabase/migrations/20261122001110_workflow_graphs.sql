-- From a definition to a graph that can run: its order, its ways from the start and to the end, and the next immutable
-- version with one row per node and edge.

-- Walks the graph. The results are arrays by the nodes' numbers: the place in topological order (0: on a cycle or behind
-- one), how many edges lead in, whether a way leads from the start, whether a way leads to the end.
create function private.trace_graph(
  p_nodes jsonb, p_edges jsonb,
  out v_position integer[], out v_incoming integer[], out v_reached boolean[], out v_ending boolean[]
)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_count integer := jsonb_array_length(p_nodes);
  v_has_start boolean;
  v_has_end boolean;
  v_sources integer[];
  v_targets integer[];
  v_next integer[];
  v_first integer[];
  v_back_sources integer[];
  v_back_targets integer[];
  v_back_first integer[];
  v_order integer[] := '{}';
  v_queue integer[];
  v_head integer := 1;
  v_edge integer;
  v_node integer;
begin
  -- The edges that are no loops, grouped by their source, and once more by their target for the way back.
  select coalesce(array_agg(x.s order by x.s, x.position), '{}'), coalesce(array_agg(x.t order by x.s, x.position), '{}'),
    coalesce(array_agg(x.s order by x.t, x.position), '{}'), coalesce(array_agg(x.t order by x.t, x.position), '{}'),
    coalesce(bool_or(x.s = 0), false), coalesce(bool_or(x.t = -1), false)
  into v_sources, v_targets, v_back_sources, v_back_targets, v_has_start, v_has_end
  from (
    select (e ->> 'source_position')::integer as s, (e ->> 'target_position')::integer as t, (e ->> 'position')::integer as position
    from jsonb_array_elements(p_edges) as e where e -> 'loop' = 'null'
  ) as x
  where x.s >= 0 and (x.t = -1 or x.t > 0);
  select array_agg(coalesce(i.n, 0) order by g), array_agg(coalesce(i.n, 0) order by g), array_agg(coalesce(f.first, 0) order by g),
    array_agg(coalesce(i.first, 0) order by g)
  into v_incoming, v_next, v_first, v_back_first
  from generate_series(1, v_count) as g
  left join (
    select t, count(*) filter (where s > 0)::integer as n, min(o)::integer as first
    from unnest(v_back_targets, v_back_sources) with ordinality as u (t, s, o) where u.t > 0 group by t
  ) as i on i.t = g
  left join (
    select s, min(o)::integer as first from unnest(v_sources) with ordinality as u (s, o) where u.s > 0 group by s
  ) as f on f.s = g;

  -- Order: Kahn's algorithm. What it leaves over is on a cycle or behind one.
  v_order := array(select g from generate_series(1, v_count) as g where v_next[g] = 0 order by g);
  v_position := array_fill(0, array[v_count]);
  while v_head <= cardinality(v_order) loop
    v_node := v_order[v_head];
    v_position[v_node] := v_head;
    v_head := v_head + 1;
    v_edge := v_first[v_node];
    while v_edge > 0 and v_edge <= cardinality(v_sources) and v_sources[v_edge] = v_node loop
      if v_targets[v_edge] > 0 then
        v_next[v_targets[v_edge]] := v_next[v_targets[v_edge]] - 1;
        if v_next[v_targets[v_edge]] = 0 then
          v_order := v_order || v_targets[v_edge];
        end if;
      end if;
      v_edge := v_edge + 1;
    end loop;
  end loop;

  -- Ways from the start, breadth first. Without a __start__ the nodes nothing leads to are the entries.
  v_reached := array_fill(false, array[v_count]);
  v_queue := array(
    select distinct g from generate_series(1, v_count) as g
    left join unnest(v_sources, v_targets) as u (s, t) on u.t = g and u.s = 0
    where case when v_has_start then u.t is not null else v_incoming[g] = 0 end
  );
  v_head := 1;
  while v_head <= cardinality(v_queue) loop
    v_node := v_queue[v_head];
    v_head := v_head + 1;
    continue when v_reached[v_node];
    v_reached[v_node] := true;
    v_edge := v_first[v_node];
    while v_edge > 0 and v_edge <= cardinality(v_sources) and v_sources[v_edge] = v_node loop
      if v_targets[v_edge] > 0 and not v_reached[v_targets[v_edge]] then v_queue := v_queue || v_targets[v_edge]; end if;
      v_edge := v_edge + 1;
    end loop;
  end loop;

  -- Ways to the end, the same backwards. Without an __end__ any node without a way on is one.
  v_ending := array_fill(not v_has_end, array[v_count]);
  v_queue := array(select distinct u.s from unnest(v_sources, v_targets) as u (s, t) where u.t = -1 and u.s > 0);
  v_head := 1;
  while v_head <= cardinality(v_queue) loop
    v_node := v_queue[v_head];
    v_head := v_head + 1;
    continue when v_ending[v_node];
    v_ending[v_node] := true;
    v_edge := v_back_first[v_node];
    while v_edge > 0 and v_edge <= cardinality(v_back_targets) and v_back_targets[v_edge] = v_node loop
      if v_back_sources[v_edge] > 0 and not v_ending[v_back_sources[v_edge]] then
        v_queue := v_queue || v_back_sources[v_edge];
      end if;
      v_edge := v_edge + 1;
    end loop;
  end loop;
end
$$;

create function private.compile_definition(p_project_id uuid, p_definition jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_fault jsonb := private.definition_fault(p_definition);
  v_nodes jsonb;
  v_edges jsonb;
  v_faults jsonb;
  v_warnings jsonb;
  v_trace record;
  v_has_way_on jsonb;
begin
  if v_fault is not null then
    return jsonb_build_object('faults', jsonb_build_array(v_fault), 'warnings', '[]'::jsonb);
  end if;
  v_nodes := private.read_nodes(p_project_id, p_definition);
  v_edges := private.read_edges(p_definition, v_nodes);
  v_faults := private.part_faults(p_project_id, p_definition, v_nodes, v_edges);
  v_warnings := private.import_warnings(v_nodes, v_edges);
  if v_nodes = '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;
  v_trace := private.trace_graph(v_nodes, v_edges);

  -- Two nodes of one id are one fault; what the second of them is not connected to is none.
  select v_faults || coalesce(jsonb_agg(x.f), '[]') into v_faults
  from (
    select distinct on (n ->> 'node_id') n ->> 'node_id' as id, (n ->> 'position')::integer as position
    from jsonb_array_elements(v_nodes) as n
    order by n ->> 'node_id', (n ->> 'position')::integer
  ) as n,
    lateral (
      select jsonb_build_object('code', 'cycle_without_loop', 'node', n.id,
        'message', format('Node %s is on or behind a cycle: give one of its edges a "loop" with max_iterations.', n.id)) as f
      where v_trace.v_position[n.position] = 0
      union all
      select jsonb_build_object('code', 'unreachable_node', 'node', n.id,
        'message', format('No way leads from the start to node %s.', n.id))
      where not v_trace.v_reached[n.position] and v_trace.v_position[n.position] > 0
      union all
      select jsonb_build_object('code', 'no_way_to_end', 'node', n.id,
        'message', format('No way leads from node %s to the end.', n.id))
      where not v_trace.v_ending[n.position]
    ) as x;
  if v_faults <> '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;

  select coalesce(jsonb_object_agg(e ->> 'source_position', true), '{}') into v_has_way_on
  from jsonb_array_elements(v_edges) as e;

  -- A node without a way on leads to the end, so that the end counts every branch.
  return jsonb_build_object(
    'faults', '[]'::jsonb,
    'warnings', v_warnings,
    'nodes', (
      select jsonb_agg(jsonb_build_object(
        'node_index', v_trace.v_position[(n ->> 'position')::integer],
        'node_id', n ->> 'node_id',
        'type', n ->> 'type',
        'agent_type', n ->> 'agent_type',
        'agent_id', n #> '{conf,agent_id}',
        'incoming', v_trace.v_incoming[(n ->> 'position')::integer],
        'is_entry', v_trace.v_incoming[(n ->> 'position')::integer] = 0,
        'join_mode', coalesce(n #>> '{conf,join}', 'all'),
        'input', nullif(n #> '{conf,input}', 'null'),
        'max_attempts', coalesce(private.as_integer(n #> '{conf,retry,max_attempts}'), 3),
        'backoff_seconds', coalesce(private.as_integer(n #> '{conf,retry,backoff_seconds}'), 5),
        'timeout_seconds', private.as_integer(n #> '{conf,timeout_seconds}'),
        'priority', coalesce(private.as_integer(n #> '{conf,priority}'), 0),
        'options', (n -> 'conf') - array['type', 'agent_type', 'agent_id', 'join', 'input', 'retry', 'timeout_seconds', 'priority']
      ))
      from jsonb_array_elements(v_nodes) as n
    ),
    'edges', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'edge_index', x.edge_index, 'source_index', x.source_index, 'target_index', x.target_index
      )), '[]')
      from (
        select row_number() over (order by y.source_index, y.place) as edge_index, y.source_index, y.target_index
        from (
          select
            v_trace.v_position[(e ->> 'source_position')::integer] as source_index,
            case when e ->> 'target_position' <> '-1' then v_trace.v_position[(e ->> 'target_position')::integer] end as target_index,
            (e ->> 'position')::integer as place
          from jsonb_array_elements(v_edges) as e
          where e ->> 'source_position' <> '0'
          union all
          select v_trace.v_position[(n ->> 'position')::integer], null, 0
          from jsonb_array_elements(v_nodes) as n
          where not v_has_way_on ? (n ->> 'position')
        ) as y
      ) as x
    )
  );
end
$$;

-- Freezes the draft as the next version and compiles it. The row lock makes two publishers take turns.
create function private.publish_workflow(p_workflow_id uuid)
returns public.workflow_versions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_workflow public.workflows;
  v_graph jsonb;
  v_version public.workflow_versions;
begin
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id for no key update;
  v_graph := private.compile_definition(v_workflow.project_id, v_workflow.definition);
  if v_graph -> 'faults' <> '[]' then
    perform private.refuse(
      'workflow_invalid',
      format('The workflow has %s fault(s): see details.', jsonb_array_length(v_graph -> 'faults')),
      jsonb_build_object('faults', v_graph -> 'faults')
    );
  end if;

  insert into public.workflow_versions (workflow_id, project_id, version, definition, warnings, created_by)
  values (
    v_workflow.id, v_workflow.project_id, coalesce(v_workflow.current_version, 0) + 1, v_workflow.definition,
    v_graph -> 'warnings', auth.uid()
  )
  returning * into v_version;

  insert into private.workflow_nodes (
    version_id, node_index, node_id, type, agent_type, agent_id, incoming, is_entry, join_mode, input, max_attempts,
    backoff_seconds, timeout_seconds, priority, options
  )
  select v_version.id, n.node_index, n.node_id, n.type, n.agent_type, n.agent_id, n.incoming, n.is_entry, n.join_mode, n.input,
    n.max_attempts, n.backoff_seconds, n.timeout_seconds, n.priority, n.options
  from jsonb_populate_recordset(null::private.workflow_nodes, v_graph -> 'nodes') as n;

  insert into private.workflow_edges (version_id, edge_index, source_index, target_index)
  select v_version.id, e.edge_index, e.source_index, e.target_index
  from jsonb_populate_recordset(null::private.workflow_edges, v_graph -> 'edges') as e;

  update public.workflows as w set current_version = v_version.version, status = 'active' where w.id = v_workflow.id;
  return v_version;
end
$$;
