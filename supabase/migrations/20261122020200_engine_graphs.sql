-- From a definition to a graph that can run in full: its order, its loops and what they hold, and the plan of every node.

-- Edges as adjacency: the targets grouped by source, and where each source's group begins (one entry more than nodes).
create function private.adjacency(
  p_sources integer[], p_targets integer[], p_count integer, out v_targets integer[], out v_first integer[]
)
language sql
immutable
set search_path = ''
as $$
  with e as (
    select u.s, u.t, u.o from unnest(p_sources, p_targets) with ordinality as u (s, t, o)
    where u.s between 1 and p_count and u.t between 1 and p_count
  ), starts as (
    select g, coalesce(n.n, 0) as n from generate_series(1, p_count + 1) as g
    left join (select e.s, count(*) as n from e group by e.s) as n on n.s = g
  )
  select
    (select coalesce(array_agg(e.t order by e.s, e.o), '{}') from e),
    (select array_agg(x.first order by x.g) from (
      select s.g, (1 + coalesce(sum(s.n) over (order by s.g rows between unbounded preceding and 1 preceding), 0))::integer as first
      from starts as s
    ) as x)
$$;

-- Which nodes a way leads to from any of the given ones, themselves included.
create function private.reach(p_targets integer[], p_first integer[], p_from integer[])
returns boolean[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_reached boolean[] := array_fill(false, array[cardinality(p_first) - 1]);
  v_queue integer[] := p_from;
  v_head integer := 1;
  v_node integer;
begin
  while v_head <= cardinality(v_queue) loop
    v_node := v_queue[v_head];
    v_head := v_head + 1;
    continue when v_reached[v_node];
    v_reached[v_node] := true;
    for v_edge in p_first[v_node] .. p_first[v_node + 1] - 1 loop
      if not v_reached[p_targets[v_edge]] then
        v_queue := array_append(v_queue, p_targets[v_edge]);
      end if;
    end loop;
  end loop;
  return v_reached;
end
$$;

-- The place of every node in topological order (Kahn's algorithm); 0: on a cycle or behind one.
create function private.topological_order(p_targets integer[], p_first integer[])
returns integer[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_count integer := cardinality(p_first) - 1;
  v_place integer[] := array_fill(0, array[v_count]);
  v_incoming integer[];
  v_queue integer[];
  v_head integer := 1;
  v_node integer;
begin
  select array_agg(coalesce(n.n, 0) order by g) into v_incoming
  from generate_series(1, v_count) as g
  left join (select t, count(*)::integer as n from unnest(p_targets) as t group by t) as n on n.t = g;
  v_queue := array(select g from generate_series(1, v_count) as g where v_incoming[g] = 0 order by g);
  while v_head <= cardinality(v_queue) loop
    v_node := v_queue[v_head];
    v_place[v_node] := v_head;
    v_head := v_head + 1;
    for v_edge in p_first[v_node] .. p_first[v_node + 1] - 1 loop
      v_incoming[p_targets[v_edge]] := v_incoming[p_targets[v_edge]] - 1;
      if v_incoming[p_targets[v_edge]] = 0 then
        v_queue := array_append(v_queue, p_targets[v_edge]);
      end if;
    end loop;
  end loop;
  return v_place;
end
$$;

-- The edges of an export that close a cycle, by position: found depth first from the start, in the order given.
create function private.closing_edges(p_edges jsonb, p_count integer)
returns integer[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_all_sources integer[];
  v_all_targets integer[];
  v_forth record;
  v_targets integer[];
  v_positions integer[];
  v_first integer[];
  v_roots integer[];
  v_color smallint[] := array_fill(0::smallint, array[p_count]);
  v_next integer[];
  v_stack integer[];
  v_closing integer[] := '{}';
  v_root integer;
  v_node integer;
  v_edge integer;
begin
  with e as (
    select (x ->> 'source_position')::integer as s, (x ->> 'target_position')::integer as t, (x ->> 'position')::integer as o
    from jsonb_array_elements(p_edges) as x where x -> 'loop' = 'null'
  )
  select
    array_agg(e.s order by e.o), array_agg(e.t order by e.o), array_agg(e.o order by e.s, e.o) filter (where e.s > 0 and e.t > 0),
    coalesce(array_agg(e.t order by e.o) filter (where e.s = 0 and e.t > 0), '{}') || array(select generate_series(1, p_count))
  into v_all_sources, v_all_targets, v_positions, v_roots
  from e;
  v_forth := private.adjacency(v_all_sources, v_all_targets, p_count);
  v_targets := v_forth.v_targets;
  v_first := v_forth.v_first;
  v_next := v_first;
  foreach v_root in array v_roots loop
    continue when v_color[v_root] <> 0;
    v_stack := array[v_root];
    v_color[v_root] := 1;
    while cardinality(v_stack) > 0 loop
      v_node := v_stack[cardinality(v_stack)];
      if v_next[v_node] < v_first[v_node + 1] then
        v_edge := v_next[v_node];
        v_next[v_node] := v_edge + 1;
        if v_color[v_targets[v_edge]] = 1 then
          v_closing := array_append(v_closing, v_positions[v_edge]);
        elsif v_color[v_targets[v_edge]] = 0 then
          v_color[v_targets[v_edge]] := 1;
          v_stack := array_append(v_stack, v_targets[v_edge]);
        end if;
      else
        v_color[v_node] := 2;
        v_stack := trim_array(v_stack, 1);
      end if;
    end loop;
  end loop;
  return v_closing;
end
$$;

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

-- The parts of a graph without faults, as rows for the tables of a version.
create function private.graph_rows(p_definition jsonb, p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace, p_is_import boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with known as (
    select
      p_trace.place[(n ->> 'position')::integer] as node_index, (n ->> 'position')::integer as position, n,
      n -> 'conf' as conf
    from jsonb_array_elements(p_nodes) as n
    where p_trace.reached[(n ->> 'position')::integer] or not p_is_import
  ), given as (
    select
      case when e ->> 'source_position' = '0' then 0 else s.node_index end as source_index,
      case when e ->> 'target_position' <> '-1' then t.node_index end as target_index,
      (e ->> 'position')::integer as place, e
    from jsonb_array_elements(p_edges) as e
    left join known as s on s.position = (e ->> 'source_position')::integer
    left join known as t on t.position = (e ->> 'target_position')::integer
    where (s.node_index is not null or e ->> 'source_position' = '0')
      and (t.node_index is not null or e ->> 'target_position' = '-1')
  ), complete as (
    select g.source_index, g.target_index, g.place, g.e from given as g
    union all
    -- A node without a way on leads to the end, so that the end counts every branch.
    select k.node_index, null, 0, '{}' from known as k
    where not exists (select from given as g where g.source_index = k.node_index and g.e -> 'loop' = 'null')
    union all
    -- Without a __start__ it leads to the nodes that nothing leads to.
    select 0, k.node_index, 0, '{}' from known as k
    where not exists (select from given as g where g.source_index = 0)
      and not exists (select from given as g where g.target_index = k.node_index and g.e -> 'loop' = 'null')
  ), edges as (
    select
      row_number() over (order by c.source_index, c.place, c.target_index)::integer as edge_index, c.source_index, c.target_index,
      c.e ->> 'label' as label, c.e ->> 'when' as predicate, coalesce(c.e -> 'loop', 'null') <> 'null' as is_loop,
      (c.e #>> '{loop,max_iterations}')::numeric::integer as loop_max_iterations,
      coalesce(c.e #>> '{loop,on_exhausted}', 'continue') as loop_on_exhausted, c.place
    from complete as c
  ), bodies as (
    select l.edge_index, l.source_index, array_agg(k.node_index order by k.node_index) as body
    from (
      select e.edge_index, e.source_index, row_number() over (order by e.place) as number from edges as e where e.is_loop
    ) as l
    cross join lateral jsonb_array_elements_text(p_trace.loops -> (l.number::integer - 1)) as b (position)
    join known as k on k.position = b.position::integer
    group by l.edge_index, l.source_index
  ), members as (
    select b.edge_index, b.source_index, cardinality(b.body) as size, n.node_index
    from bodies as b cross join lateral unnest(b.body) as n (node_index)
  ), rings as (
    select m.node_index, array_agg(m.edge_index order by m.source_index desc, m.size desc, m.edge_index) as loops
    from members as m group by m.node_index
  ), exits as (
    select e.edge_index, array_agg(m.edge_index) as gates
    from edges as e
    join members as m on m.node_index = e.source_index
    left join members as inside on inside.edge_index = m.edge_index and inside.node_index = e.target_index
    where not e.is_loop and inside.edge_index is null
    group by e.edge_index
  ), entrances as (
    select distinct e.edge_index
    from edges as e
    join members as m on m.node_index = e.target_index
    left join members as inside on inside.edge_index = m.edge_index and inside.node_index = e.source_index
    where not e.is_loop and inside.edge_index is null
  ), labelled as (
    select distinct e.source_index from edges as e where e.label is not null
  ), mode as (
    select case
      when exists (select from bodies) or exists (select from known as k where k.conf ->> 'join' = 'any') then 'serial'
      when exists (
        select from known as k where k.n ->> 'type' <> 'agent' or coalesce(k.conf ->> 'on_failure', 'fail') <> 'fail'
      ) or exists (select from edges as e where e.label is not null or e.predicate is not null) then 'graph'
      else 'plain'
    end as mode
  ), incoming as (
    -- In a plain graph the start is no edge: what only it leads to begins at once.
    select coalesce(e.target_index, -1) as target, count(*)::integer as n
    from edges as e
    where not e.is_loop and (e.source_index > 0 or (select m.mode from mode as m) <> 'plain')
    group by coalesce(e.target_index, -1)
  ), sharded as (
    select i.target, i.n, case
      when m.mode <> 'plain' or i.n = 1 then 0
      when i.n > 4 then least(16, (i.n + 3) / 4)
      when i.target = -1 then 0
      else 1
    end as shards
    from incoming as i cross join mode as m
  ), steps as (
    select e.source_index, coalesce(e.target_index, -1) as target,
      -- Only this edge leads there, and the task asks for nothing but the output.
      s.n = 1 and k.node_index is not null as is_direct,
      case
        when s.shards = 1 then 0
        when s.shards > 1 then 1 + (row_number() over (partition by e.target_index order by e.edge_index) - 1) % s.shards
      end::smallint as shard
    from edges as e
    join sharded as s on s.target = coalesce(e.target_index, -1)
    left join known as k
      on k.node_index = e.target_index and jsonb_typeof(coalesce(k.conf -> 'input', 'null')) = 'null'
      and coalesce(private.as_integer(k.conf -> 'delay_seconds'), 0) = 0
    where e.source_index > 0 and not e.is_loop
  ), plans as (
    select
      s.source_index,
      array_agg(s.target order by s.target) filter (where s.is_direct) as unlocks,
      array_agg(s.target order by s.target, s.shard) filter (where not s.is_direct) as counts,
      array_agg(s.shard order by s.target, s.shard) filter (where not s.is_direct) as count_shards
    from steps as s
    where (select m.mode from mode as m) = 'plain'
    group by s.source_index
  )
  select jsonb_build_object(
    'mode', (select m.mode from mode as m),
    'end_edges', coalesce((select s.n from sharded as s where s.target = -1), 0),
    'end_shards', coalesce((select s.shards from sharded as s where s.target = -1), 0),
    'concurrency_limit', private.as_integer(p_definition -> 'concurrency_limit'),
    'has_predicates', exists (select from edges as e where e.predicate is not null),
    'reducers', coalesce(nullif(p_definition -> 'state', 'null'), '{}'),
    'nodes', (
      select jsonb_agg(jsonb_build_object(
        'node_index', k.node_index,
        'node_id', k.n ->> 'node_id',
        'type', k.n ->> 'type',
        'agent_type', k.n ->> 'agent_type',
        'agent_id', k.conf -> 'agent_id',
        'incoming', coalesce(s.n, 0),
        'shards', coalesce(s.shards, 0),
        'is_entry', s.n is null,
        'join_mode', coalesce(k.conf ->> 'join', 'all'),
        'input', nullif(k.conf -> 'input', 'null'),
        'max_attempts', case
          when k.n ->> 'type' in ('agent', 'map') then coalesce(private.as_integer(k.conf #> '{retry,max_attempts}'), 3) else 1
        end,
        'backoff_seconds', coalesce(private.as_integer(k.conf #> '{retry,backoff_seconds}'), 5),
        'timeout_seconds', private.as_integer(k.conf -> 'timeout_seconds'),
        'delay_seconds', coalesce(private.as_integer(k.conf -> 'delay_seconds'), 0),
        'priority', coalesce(private.as_integer(k.conf -> 'priority'), 0),
        'on_failure', coalesce(k.conf ->> 'on_failure', 'fail'),
        'has_labels', l.source_index is not null,
        'unlocks', coalesce(p.unlocks, '{}'),
        'counts', coalesce(p.counts, '{}'),
        'count_shards', coalesce(p.count_shards, '{}'),
        'loops', coalesce(r.loops, '{}'),
        'options', k.conf - array[
          'type', 'agent_type', 'agent_id', 'join', 'input', 'retry', 'timeout_seconds', 'delay_seconds', 'priority', 'on_failure'
        ]
      ))
      from known as k
      left join sharded as s on s.target = k.node_index
      left join plans as p on p.source_index = k.node_index
      left join labelled as l on l.source_index = k.node_index
      left join rings as r on r.node_index = k.node_index
    ),
    'edges', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'edge_index', e.edge_index, 'source_index', e.source_index, 'target_index', e.target_index, 'label', e.label,
        'predicate', e.predicate, 'loop_max_iterations', e.loop_max_iterations, 'loop_on_exhausted', e.loop_on_exhausted,
        'loop_body', b.body, 'gates', x.gates, 'is_recorded', i.edge_index is not null or x.edge_index is not null
      )), '[]')
      from edges as e
      left join bodies as b on b.edge_index = e.edge_index
      left join exits as x on x.edge_index = e.edge_index
      left join entrances as i on i.edge_index = e.edge_index
      where e.source_index > 0 or (select m.mode from mode as m) <> 'plain'
    )
  )
$$;

create or replace function private.compile_definition(p_project_id uuid, p_definition jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_fault jsonb := private.definition_fault(p_definition);
  v_is_import boolean;
  v_nodes jsonb;
  v_edges jsonb;
  v_faults jsonb;
  v_warnings jsonb;
  v_trace private.graph_trace;
begin
  if v_fault is not null then
    return jsonb_build_object('faults', jsonb_build_array(v_fault), 'warnings', '[]'::jsonb);
  end if;
  v_is_import := private.is_import(p_definition);
  v_nodes := private.read_nodes(p_project_id, p_definition);
  v_edges := private.read_edges(p_definition, v_nodes);
  if v_is_import and v_nodes <> '[]' then
    v_edges := private.with_guessed_loops(p_definition, v_edges, jsonb_array_length(v_nodes));
  end if;
  v_faults := private.part_faults(p_project_id, p_definition, v_nodes, v_edges);
  v_warnings := private.import_warnings(v_nodes, v_edges);
  if v_nodes = '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;
  v_trace := private.trace_graph(v_nodes, v_edges);
  v_faults := v_faults || private.graph_faults(v_nodes, v_edges, v_trace, v_is_import);
  if v_faults <> '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;

  if v_is_import then
    select v_warnings || coalesce(jsonb_agg(jsonb_build_object(
      'code', 'unreachable_node', 'node', n ->> 'node_id',
      'message', format('No way leads from the start to node %s: it was left out.', n ->> 'node_id')
    ) order by (n ->> 'position')::integer), '[]')
    into v_warnings
    from jsonb_array_elements(v_nodes) as n
    where not v_trace.reached[(n ->> 'position')::integer];
  end if;
  return private.graph_rows(p_definition, v_nodes, v_edges, v_trace, v_is_import)
    || jsonb_build_object('faults', '[]'::jsonb, 'warnings', v_warnings);
end
$$;

-- Writes a definition down as the next version and compiles it.
create function private.add_version(p_workflow public.workflows, p_definition jsonb, p_source_version integer)
returns public.workflow_versions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_graph jsonb := private.compile_definition(p_workflow.project_id, p_definition);
  v_version public.workflow_versions;
begin
  if v_graph -> 'faults' <> '[]' then
    perform private.refuse(
      'workflow_invalid',
      format('The workflow has %s fault(s): see details.', jsonb_array_length(v_graph -> 'faults')),
      jsonb_build_object('faults', v_graph -> 'faults')
    );
  end if;

  insert into public.workflow_versions (workflow_id, project_id, version, definition, warnings, source_version, created_by)
  values (
    p_workflow.id, p_workflow.project_id, coalesce(p_workflow.current_version, 0) + 1, p_definition,
    v_graph -> 'warnings', p_source_version, auth.uid()
  )
  returning * into v_version;

  insert into private.workflow_graphs (version_id, mode, end_edges, end_shards, concurrency_limit, reducers, has_predicates)
  select v_version.id, g.mode, g.end_edges, g.end_shards, g.concurrency_limit, g.reducers, g.has_predicates
  from jsonb_populate_record(null::private.workflow_graphs, v_graph) as g;

  insert into private.workflow_nodes (
    version_id, node_index, node_id, type, agent_type, agent_id, incoming, is_entry, join_mode, input, max_attempts,
    backoff_seconds, timeout_seconds, priority, options, unlocks, counts, count_shards, shards, on_failure, delay_seconds,
    has_labels, loops
  )
  select v_version.id, n.node_index, n.node_id, n.type, n.agent_type, n.agent_id, n.incoming, n.is_entry, n.join_mode, n.input,
    n.max_attempts, n.backoff_seconds, n.timeout_seconds, n.priority, n.options, n.unlocks, n.counts, n.count_shards, n.shards,
    n.on_failure, n.delay_seconds, n.has_labels, n.loops
  from jsonb_populate_recordset(null::private.workflow_nodes, v_graph -> 'nodes') as n;

  insert into private.workflow_edges (
    version_id, edge_index, source_index, target_index, label, predicate, loop_max_iterations, loop_on_exhausted, loop_body,
    gates, is_recorded
  )
  select v_version.id, e.edge_index, e.source_index, e.target_index, e.label, e.predicate, e.loop_max_iterations,
    e.loop_on_exhausted, e.loop_body, e.gates, e.is_recorded
  from jsonb_populate_recordset(null::private.workflow_edges, v_graph -> 'edges') as e;

  update public.workflows as w set current_version = v_version.version, status = 'active' where w.id = p_workflow.id;
  return v_version;
end
$$;

-- The workflow of an operation of editors, locked so that two publishers take turns; nobody else gets at the lock.
create function private.lock_workflow(p_workflow_id uuid)
returns public.workflows
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
  v_workflow public.workflows;
begin
  select w.project_id into v_project_id from public.workflows as w where w.id = p_workflow_id;
  if v_project_id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow, or you are not a member of its project.');
  end if;
  perform private.require_role(v_project_id, 'editor');
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id for no key update;
  if v_workflow.id is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow any more.');
  end if;
  return v_workflow;
end
$$;

-- Freezes the draft as the next immutable version.
drop function private.publish_workflow(uuid);
create function private.publish_workflow(p_workflow_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_workflow public.workflows := private.lock_workflow(p_workflow_id);
  v_version public.workflow_versions := private.add_version(v_workflow, v_workflow.definition, null);
begin
  return jsonb_build_object('version', v_version.version, 'warnings', v_version.warnings);
end
$$;

-- Makes an older version current again, as a new version that names its source. It is checked anew: agents or agent
-- types it needs may be gone.
create function private.roll_back_workflow(p_workflow_id uuid, p_to_version integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_workflow public.workflows := private.lock_workflow(p_workflow_id);
  v_source public.workflow_versions;
  v_version public.workflow_versions;
begin
  select v.* into v_source from public.workflow_versions as v
  where v.workflow_id = p_workflow_id and v.version = p_to_version;
  if v_source.id is null then
    perform private.refuse('workflow_version_not_found', format('The workflow has no version %s.', coalesce(p_to_version::text, '')));
  end if;
  v_version := private.add_version(v_workflow, v_source.definition, v_source.version);
  return jsonb_build_object('version', v_version.version);
end
$$;

create function public.publish_workflow(workflow_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.publish_workflow(publish_workflow.workflow_id);
end
$$;

create function public.roll_back_workflow(workflow_id uuid, to_version integer)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.roll_back_workflow(roll_back_workflow.workflow_id, roll_back_workflow.to_version);
end
$$;
grant execute on function private.publish_workflow(uuid), private.roll_back_workflow(uuid, integer),
  public.publish_workflow(uuid), public.roll_back_workflow(uuid, integer)
to authenticated, service_role;
