-- What only the whole graph shows: its order, its ways from the start and to the end, what its loops hold, and its faults.

drop function private.trace_graph(jsonb, jsonb);

-- Walks the graph. The results are arrays by the nodes' numbers: place in topological order (0: on a cycle or behind
-- one), whether a way leads from the start, whether one leads to the end; and by the loops in the order given: whether
-- each leads back at all, and its body as nodes. interlocked: the nodes that loops keep waiting for each other.
create type private.graph_trace as (
  place integer[], reached boolean[], ending boolean[], loops jsonb, interlocked integer[]
);
create function private.trace_graph(p_nodes jsonb, p_edges jsonb)
returns private.graph_trace
language plpgsql
stable
set search_path = ''
as $$
declare
  v_trace private.graph_trace;
  v_count integer := jsonb_array_length(p_nodes);
  v_sources integer[];
  v_targets integer[];
  v_loop_sources integer[];
  v_loop_targets integer[];
  v_has_start boolean;
  v_has_end boolean;
  v_forth record;
  v_back record;
  v_from boolean[];
  v_to boolean[];
  v_body integer[];
  v_extra_sources integer[] := '{}';
  v_extra_targets integer[] := '{}';
  v_order integer[];
begin
  select
    coalesce(array_agg(x.s order by x.position) filter (where not x.is_loop), '{}'),
    coalesce(array_agg(x.t order by x.position) filter (where not x.is_loop), '{}'),
    coalesce(array_agg(x.s order by x.position) filter (where x.is_loop), '{}'),
    coalesce(array_agg(x.t order by x.position) filter (where x.is_loop), '{}'),
    coalesce(bool_or(x.s = 0), false), coalesce(bool_or(x.t = -1), false)
  into v_sources, v_targets, v_loop_sources, v_loop_targets, v_has_start, v_has_end
  from (
    select (e ->> 'source_position')::integer as s, (e ->> 'target_position')::integer as t,
      (e ->> 'position')::integer as position, e -> 'loop' <> 'null' as is_loop
    from jsonb_array_elements(p_edges) as e
  ) as x
  where x.s >= 0 and (x.t = -1 or x.t > 0) and (not x.is_loop or (x.s > 0 and x.t > 0));

  v_forth := private.adjacency(v_sources, v_targets, v_count);
  v_trace.place := private.topological_order(v_forth.v_targets, v_forth.v_first);

  -- Without a __start__ the nodes nothing leads to are the entries; without an __end__ any node may be the last.
  v_trace.reached := private.reach(v_forth.v_targets, v_forth.v_first, case
    when v_has_start then array(
      select distinct u.t from unnest(v_sources, v_targets) as u (s, t) where u.s = 0 and u.t > 0
    )
    else array(
      select g from generate_series(1, v_count) as g
      where not exists (select from unnest(v_sources, v_targets) as u (s, t) where u.t = g and u.s > 0)
    )
  end);
  if v_has_end then
    v_back := private.adjacency(v_targets || v_loop_targets, v_sources || v_loop_sources, v_count);
    v_trace.ending := private.reach(v_back.v_targets, v_back.v_first, array(
      select distinct u.s from unnest(v_sources, v_targets) as u (s, t) where u.t = -1 and u.s > 0
    ));
  else
    v_trace.ending := array_fill(true, array[v_count]);
  end if;

  v_trace.loops := '[]';
  v_trace.interlocked := '{}';
  if cardinality(v_loop_sources) = 0 or cardinality(v_loop_sources) > 100 or 0 = any (v_trace.place) then
    return v_trace;
  end if;

  -- The body of a loop is what lies on the ways from its target to its source. What leaves it waits for its source, so
  -- the order puts the source before whatever lies behind the loop.
  v_back := private.adjacency(v_targets, v_sources, v_count);
  for v_loop in 1 .. cardinality(v_loop_sources) loop
    v_from := private.reach(v_forth.v_targets, v_forth.v_first, array[v_loop_targets[v_loop]]);
    v_to := private.reach(v_back.v_targets, v_back.v_first, array[v_loop_sources[v_loop]]);
    v_body := array(select g from generate_series(1, v_count) as g where v_from[g] and v_to[g]);
    v_trace.loops := v_trace.loops || jsonb_build_array(to_jsonb(v_body));
    v_extra_targets := v_extra_targets || array(
      select distinct u.t from unnest(v_sources, v_targets) as u (s, t)
      where u.t > 0 and u.s = any (v_body) and not u.t = any (v_body)
    );
    v_extra_sources := v_extra_sources
      || array_fill(v_loop_sources[v_loop], array[cardinality(v_extra_targets) - cardinality(v_extra_sources)]);
  end loop;
  v_forth := private.adjacency(v_sources || v_extra_sources, v_targets || v_extra_targets, v_count);
  v_order := private.topological_order(v_forth.v_targets, v_forth.v_first);
  v_trace.interlocked := array(select g from generate_series(1, v_count) as g where v_order[g] = 0);
  if v_trace.interlocked = '{}' then
    v_trace.place := v_order;
  end if;
  return v_trace;
end
$$;

-- An export says nothing of loops: an edge that closes a cycle becomes one, bounded by defaults.max_iterations or by 25
-- as LangGraph's own limit of steps is, and running out of turns is an error there too.
create function private.with_guessed_loops(p_definition jsonb, p_edges jsonb, p_count integer)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_closing integer[] := private.closing_edges(p_edges, p_count);
begin
  if v_closing = '{}' then
    return p_edges;
  end if;
  return (
    select jsonb_agg(
      case
        when (e ->> 'position')::integer = any (v_closing) then e || jsonb_build_object(
          'is_guessed_loop', true, 'loop', jsonb_build_object(
            'max_iterations', coalesce(nullif(p_definition #> '{defaults,max_iterations}', 'null'), '25'), 'on_exhausted', 'fail'
          )
        )
        else e
      end
      order by (e ->> 'position')::integer
    )
    from jsonb_array_elements(p_edges) as e
  );
end
$$;

-- The faults and warnings that only the whole graph shows.
create function private.graph_faults(p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace, p_is_import boolean)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(x.f), '[]')
    from (
      -- Two nodes of one id are one fault; what the second of them is not connected to is none.
      select x.f
      from (
        select distinct on (n ->> 'node_id') n ->> 'node_id' as id, (n ->> 'position')::integer as position
        from jsonb_array_elements(p_nodes) as n
        order by n ->> 'node_id', (n ->> 'position')::integer
      ) as n,
        lateral (
          select jsonb_build_object('code', 'cycle_without_loop', 'node', n.id,
            'message', format('Node %s is on or behind a cycle: give one of its edges a "loop" with max_iterations.', n.id)) as f
          where p_trace.place[n.position] = 0
          union all
          select jsonb_build_object('code', 'unreachable_node', 'node', n.id,
            'message', format('No way leads from the start to node %s.', n.id))
          where not p_trace.reached[n.position] and p_trace.place[n.position] > 0 and not p_is_import
          union all
          select jsonb_build_object('code', 'no_way_to_end', 'node', n.id,
            'message', format('No way leads from node %s to the end.', n.id))
          where not p_trace.ending[n.position] and not p_is_import
          union all
          select jsonb_build_object('code', 'loops_interlock', 'node', n.id,
            'message', format('Node %s is behind two loops that would wait for each other to end.', n.id))
          where n.position = any (p_trace.interlocked)
        ) as x
      union all
      select jsonb_build_object('code', 'invalid_edge', 'edge', (e.e ->> 'source') || ' → ' || (e.e ->> 'target'),
        'message', format('Edge %s → %s: a loop leads back to a node that leads here.', e.e ->> 'source', e.e ->> 'target'))
      from (
        select x as e, row_number() over (order by (x ->> 'position')::integer) as number
        from jsonb_array_elements(p_edges) as x
        where x -> 'loop' <> 'null' and (x ->> 'source_position')::integer > 0 and (x ->> 'target_position')::integer > 0
      ) as e
      where p_trace.loops -> (e.number::integer - 1) = '[]'
    ) as x
  );
end
$$;
