-- An import guessed in silence where ways of different length, or one out of a loop and one back, part at a node that a branch
-- may also lead past: only the last node that lies on all ways was looked at. Nor was it said that what lies behind a loop
-- runs once where LangGraph runs it in each turn.

-- Whether ways that are gone at once end at one place with different values. Nodes are numbered in the order of the graph;
-- the edges between them are given by their sources, with their first place for each, and those that end there by a value
-- to which each step adds. Ways part for good where no node lies on all of them, and at once where not all are conditional.
create function private.ways_differ(
  p_targets integer[], p_first integer[], p_is_plain boolean[], p_from integer, p_ends integer[], p_ends_are_plain boolean[],
  p_values integer[], p_step integer
)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  c_end constant integer := cardinality(p_first) + 1;
  c_none constant integer[] := array_fill(null::integer, array[cardinality(p_first)]);
  -- By the node's number: the first node, or the end, that all of its ways lead to, how many there are, whether one is not
  -- conditional, and the least and the most that they end with.
  v_meet integer[] := c_none;
  v_ways integer[] := c_none;
  v_is_plain boolean[] := c_none::boolean[];
  v_least integer[] := c_none;
  v_most integer[] := c_none;
  v_node integer;
  v_target integer;
  v_one integer;
  v_other integer;
begin
  for v_end in 1 .. cardinality(p_ends) loop
    v_node := p_ends[v_end];
    v_meet[v_node] := c_end;
    v_ways[v_node] := coalesce(v_ways[v_node], 0) + 1;
    v_is_plain[v_node] := coalesce(v_is_plain[v_node], false) or p_ends_are_plain[v_end];
    v_least[v_node] := least(v_least[v_node], p_values[v_end]);
    v_most[v_node] := greatest(v_most[v_node], p_values[v_end]);
  end loop;
  for v_node in reverse (select max(s) from unnest(p_ends) as s) .. p_from loop
    for v_edge in p_first[v_node] .. p_first[v_node + 1] - 1 loop
      v_target := p_targets[v_edge];
      continue when v_meet[v_target] is null;
      v_one := coalesce(v_meet[v_node], v_target);
      v_other := v_target;
      while v_one <> v_other loop
        if v_one < v_other then
          v_one := v_meet[v_one];
        else
          v_other := v_meet[v_other];
        end if;
      end loop;
      v_meet[v_node] := v_one;
      v_ways[v_node] := coalesce(v_ways[v_node], 0) + 1;
      v_is_plain[v_node] := coalesce(v_is_plain[v_node], false) or p_is_plain[v_edge];
      v_least[v_node] := least(v_least[v_node], v_least[v_target] + p_step);
      v_most[v_node] := greatest(v_most[v_node], v_most[v_target] + p_step);
    end loop;
    if v_meet[v_node] = c_end and v_ways[v_node] > 1 and v_is_plain[v_node] and v_least[v_node] <> v_most[v_node] then
      return true;
    end if;
  end loop;
  return false;
end
$$;

create or replace function private.join_warnings(p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_count integer := jsonb_array_length(p_nodes) + 1;
  -- The edges by their nodes' numbers in the order of the graph, where the start is the first.
  v_sources integer[];
  v_targets integer[];
  v_is_plain boolean[];
  v_loop_sources integer[];
  v_loop_targets integer[];
  v_loop_is_plain boolean[];
  v_graph record;
  -- By the node's number: how many up to it may set several ways going at once, the last node on all ways to it, and how long
  -- these are.
  v_forks integer[];
  v_shared integer[] := array_fill(1, array[v_count]);
  v_shortest integer[] := array_fill(0, array[v_count]);
  v_longest integer[] := v_shortest;
  v_place record;
  v_source integer;
  v_last integer;
  v_least integer;
  v_most integer;
  v_uneven integer[] := '{}';
  v_behind integer[] := '{}';
begin
  with edge as (
    select coalesce(p_trace.place[(e ->> 'source_position')::integer], 0) + 1 as s,
      p_trace.place[(e ->> 'target_position')::integer] + 1 as t, (e ->> 'position')::integer as o,
      e -> 'label' = 'null' and e -> 'when' = 'null' as is_plain, e -> 'loop' <> 'null' as is_loop,
      coalesce(p_trace.reached[(e ->> 'source_position')::integer], true) as is_reached
    from jsonb_array_elements(p_edges) as e
    where (e ->> 'target_position')::integer > 0
  )
  select
    coalesce(array_agg(e.s order by e.s, e.o) filter (where not e.is_loop and e.is_reached), '{}'),
    coalesce(array_agg(e.t order by e.s, e.o) filter (where not e.is_loop and e.is_reached), '{}'),
    coalesce(array_agg(e.is_plain order by e.s, e.o) filter (where not e.is_loop and e.is_reached), '{}'),
    coalesce(array_agg(e.s order by e.o) filter (where e.is_loop), '{}'),
    coalesce(array_agg(e.t order by e.o) filter (where e.is_loop), '{}'),
    coalesce(array_agg(e.is_plain order by e.o) filter (where e.is_loop), '{}')
  into v_sources, v_targets, v_is_plain, v_loop_sources, v_loop_targets, v_loop_is_plain
  from edge as e;
  v_graph := private.adjacency(v_sources, v_targets, v_count);
  select array_agg(f.forks order by f.node) into v_forks
  from (
    select g as node, count(w.s) over (order by g)::integer as forks
    from generate_series(1, v_count) as g
    left join (
      select u.s from unnest(v_sources || v_loop_sources, v_is_plain || v_loop_is_plain) as u (s, is_plain)
      group by u.s
      having count(*) > 1 and bool_or(u.is_plain)
    ) as w on w.s = g
  ) as f;

  for v_place in
    select e.t as node, array_agg(e.s) as ends, array_agg(e.is_plain) as are_plain, array_agg(0) as zeros
    from unnest(v_sources, v_targets, v_is_plain) as e (s, t, is_plain)
    group by e.t
    order by e.t
  loop
    v_last := v_place.ends[1];
    v_least := v_shortest[v_last];
    v_most := v_longest[v_last];
    foreach v_source in array v_place.ends loop
      v_least := least(v_least, v_shortest[v_source]);
      v_most := greatest(v_most, v_longest[v_source]);
      while v_source <> v_last loop
        if v_source > v_last then
          v_source := v_shared[v_source];
        else
          v_last := v_shared[v_last];
        end if;
      end loop;
    end loop;
    v_shared[v_place.node] := v_last;
    v_shortest[v_place.node] := v_least + 1;
    v_longest[v_place.node] := v_most + 1;
    if v_least <> v_most and v_forks[v_place.node - 1] > coalesce(v_forks[v_last - 1], 0) and private.ways_differ(
      v_graph.v_targets, v_graph.v_first, v_is_plain, v_last, v_place.ends, v_place.are_plain, v_place.zeros, 1
    ) then
      v_uneven := array_append(v_uneven, v_place.node - 1);
    end if;
  end loop;

  -- Ways that lead back are one turn here, whose first task waits for all of them.
  for v_place in
    select l.t as node, array_agg(l.s) as ends, array_agg(l.is_plain) as are_plain, array_agg(0) as zeros, max(l.s) as last
    from unnest(v_loop_sources, v_loop_targets, v_loop_is_plain) as l (s, t, is_plain)
    group by l.t
    having count(*) > 1
  loop
    if v_forks[v_place.last] > v_forks[v_place.node - 1] and private.ways_differ(
      v_graph.v_targets, v_graph.v_first, v_is_plain, v_place.node, v_place.ends, v_place.are_plain, v_place.zeros, 1
    ) then
      v_uneven := array_append(v_uneven, v_place.node - 1);
    end if;
  end loop;

  -- What leaves a loop waits until it has ended, and of two loops only one is turned.
  for v_place in
    with family as (
      select f.family, min(v_loop_targets[f.number]) as node, array_agg(v_loop_sources[f.number]) as ends,
        array_agg(v_loop_is_plain[f.number]) as are_plain, array_agg(0) as zeros
      from jsonb_array_elements_text(p_trace.families) with ordinality as f (family, number)
      group by f.family
    ), body as (
      select f.family, p_trace.place[n::integer] + 1 as node
      from family as f cross join lateral jsonb_array_elements_text(p_trace.loops -> (f.family::integer - 1)) as n
    ), way as (
      select b.family, e.s, e.t, e.is_plain
      from unnest(v_sources, v_targets, v_is_plain) as e (s, t, is_plain)
      join body as b on b.node = e.s
      where not exists (select from body as c where c.family = b.family and c.node = e.t)
      union all
      select b.family, b.node, v_loop_targets[l.number], v_loop_is_plain[l.number]
      from jsonb_array_elements_text(p_trace.families) with ordinality as l (family, number)
      join body as b on b.node = v_loop_sources[l.number] and b.family <> l.family
    )
    select f.node, w.t as behind, f.ends || array_agg(w.s) as ends, f.are_plain || array_agg(w.is_plain) as are_plain,
      f.zeros || array_agg(1) as values, greatest(max(w.s), (select max(s) from unnest(f.ends) as s)) as last
    from family as f
    join way as w on w.family = f.family
    group by f.family, f.node, f.ends, f.are_plain, f.zeros, w.t
  loop
    if v_forks[v_place.last] > v_forks[v_place.node - 1] and private.ways_differ(
      v_graph.v_targets, v_graph.v_first, v_is_plain, v_place.node, v_place.ends, v_place.are_plain, v_place.values, 0
    ) then
      v_behind := array_append(v_behind, v_place.behind - 1);
    end if;
  end loop;

  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'code', 'join_guessed', 'node', n.value ->> 'node_id',
      'message', format(case
        when p_trace.place[n.position] = any (v_uneven)
          then 'Ways of different length lead to node %s: it runs once, when all are decided, and not at each step that leads to it.'
        else 'Ways out of a loop that may go on lead to node %s: it runs once, when the loop has ended, and not in each turn.'
      end || ' Say "join" in its metadata.', n.value ->> 'node_id')
    ) order by n.position), '[]')
    from jsonb_array_elements(p_nodes) with ordinality as n (value, position)
    where p_trace.place[n.position] = any (v_uneven || v_behind) and p_trace.reached[n.position]
      and n.value #>> '{conf,join}' is null and n.value #> '{conf,defer}' is distinct from 'true'
  );
end
$$;
