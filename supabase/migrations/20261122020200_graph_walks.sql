-- Walking a graph that is given as arrays: where ways lead, in what order nodes come, which edges close a cycle.

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
