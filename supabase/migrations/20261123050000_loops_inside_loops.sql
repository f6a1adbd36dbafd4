-- A loop that begins inside another lies inside it whole, also where its own source leads out of there: the tools of an
-- agent that reports to a supervisor. Such a pair was taken for two loops that overlap, and when the inner one turned, what
-- the outer one's end had decided stayed: a way out named later was dropped without a word. Now a turn of the outer loop
-- repeats all of the inner one, and what leaves the outer loop waits for both.

-- By the loops in the order given. loops: what a turn repeats, with every loop that begins in it. cores: the ways from the
-- target to the sources of the family alone; what leaves those waits for the family, what leaves the whole for all that is
-- inside. inside: the numbers of the loops inside, of its own family too. beside: those that share a source with it, or with
-- one that does, although neither lies inside the other: a turn of theirs could open it again.
alter type private.graph_trace add attribute cores jsonb, add attribute inside jsonb, add attribute beside jsonb;

-- Which loops belong together, which lie inside which, and which beside: what there is to know of ways between targets and
-- sources is one bit a pair. v_family: the number of the first loop of the family. v_sharing: of each loop, those beside it
-- that share a source with it themselves.
create function private.nest_loops(
  p_forth integer[], p_forth_first integer[], p_back integer[], p_back_first integer[], p_sources integer[], p_targets integer[],
  out v_family integer[], out v_inside jsonb, out v_beside jsonb, out v_sharing jsonb
)
language plpgsql
stable
set search_path = ''
as $$
declare
  c_none constant bit(100) := 0::bit(100);
  v_count integer := cardinality(p_sources);
  v_from boolean[];
  v_to boolean[];
  -- Of each loop: which targets and sources its own target leads to, and which of them lead to its source.
  v_to_targets bit(100)[];
  v_to_sources bit(100)[];
  v_targets_before bit(100)[];
  v_sources_before bit(100)[];
  -- Of each family: the sources of all that is inside, and which targets and sources are.
  v_ends bit(100)[];
  v_targets_inside bit(100)[];
  v_sources_inside bit(100)[];
  v_bits bit(100)[];
  v_old integer;
  v_new integer;
  v_is_growing boolean := true;
begin
  for v_loop in 1 .. v_count loop
    v_from := private.reach(p_forth, p_forth_first, array[p_targets[v_loop]]);
    v_to := private.reach(p_back, p_back_first, array[p_sources[v_loop]]);
    v_bits := array[c_none, c_none, c_none, c_none];
    for v_other in 1 .. v_count loop
      v_bits[1] := set_bit(v_bits[1], v_other - 1, v_from[p_targets[v_other]]::integer);
      v_bits[2] := set_bit(v_bits[2], v_other - 1, v_from[p_sources[v_other]]::integer);
      v_bits[3] := set_bit(v_bits[3], v_other - 1, v_to[p_targets[v_other]]::integer);
      v_bits[4] := set_bit(v_bits[4], v_other - 1, v_to[p_sources[v_other]]::integer);
    end loop;
    v_to_targets[v_loop] := v_bits[1];
    v_to_sources[v_loop] := v_bits[2];
    v_targets_before[v_loop] := v_bits[3];
    v_sources_before[v_loop] := v_bits[4];
    v_family[v_loop] := v_loop;
    v_ends[v_loop] := set_bit(c_none, v_loop - 1, 1);
  end loop;

  -- One family: into one node, and neither source leads to the other. What does not lead back at all is a fault of its own.
  for v_one in 1 .. v_count loop
    for v_other in v_one + 1 .. v_count loop
      continue when p_targets[v_one] <> p_targets[v_other] or v_family[v_one] = v_family[v_other]
        or get_bit(v_to_sources[v_one], v_one - 1) = 0 or get_bit(v_to_sources[v_other], v_other - 1) = 0
        or get_bit(v_sources_before[v_one], v_other - 1) = 1 or get_bit(v_sources_before[v_other], v_one - 1) = 1;
      v_new := least(v_family[v_one], v_family[v_other]);
      v_old := greatest(v_family[v_one], v_family[v_other]);
      v_family := array_replace(v_family, v_old, v_new);
      v_ends[v_new] := v_ends[v_new] | v_ends[v_old];
    end loop;
  end loop;

  while v_is_growing loop
    v_is_growing := false;
    for v_one in 1 .. v_count loop
      continue when v_family[v_one] <> v_one;
      v_bits := array[c_none, c_none];
      for v_other in 1 .. v_count loop
        continue when get_bit(v_ends[v_one], v_other - 1) = 0;
        v_bits[1] := v_bits[1] | v_targets_before[v_other];
        v_bits[2] := v_bits[2] | v_sources_before[v_other];
      end loop;
      v_targets_inside[v_one] := v_to_targets[v_one] & v_bits[1];
      v_sources_inside[v_one] := v_to_sources[v_one] & v_bits[2];
      for v_other in 1 .. v_count loop
        continue when v_family[v_other] <> v_other or get_bit(v_targets_inside[v_one], v_other - 1) = 0
          or p_targets[v_other] = p_targets[v_one] and v_ends[v_other] & v_sources_inside[v_one] = c_none
          or v_ends[v_other] & ~v_sources_inside[v_one] = c_none;
        v_ends[v_one] := v_ends[v_one] | v_ends[v_other];
        v_is_growing := true;
      end loop;
    end loop;
  end loop;

  select jsonb_agg(i.inside order by o.loop)
  into v_inside
  from generate_series(1, v_count) as o (loop)
  cross join lateral (
    select coalesce(jsonb_agg(l.loop order by l.loop), '[]') as inside
    from generate_series(1, v_count) as l (loop)
    where v_family[l.loop] = v_family[o.loop]
      or get_bit(v_targets_inside[v_family[o.loop]], v_family[l.loop] - 1) = 1
        and v_ends[v_family[l.loop]] & ~v_sources_inside[v_family[o.loop]] = c_none
  ) as i;
  select jsonb_agg(i.sharing order by o.loop)
  into v_sharing
  from generate_series(1, v_count) as o (loop)
  cross join lateral (
    select coalesce(jsonb_agg(l.loop order by l.loop), '[]') as sharing
    from generate_series(1, v_count) as l (loop)
    where v_sources_inside[v_family[l.loop]] & v_sources_inside[v_family[o.loop]] <> c_none
      and not v_inside -> (l.loop - 1) @> to_jsonb(o.loop) and not v_inside -> (o.loop - 1) @> to_jsonb(l.loop)
  ) as i;
  select jsonb_agg(i.beside order by o.loop)
  into v_beside
  from generate_series(1, v_count) as o (loop)
  cross join lateral (
    with recursive found as (
      select s::integer as loop from jsonb_array_elements_text(v_sharing -> (o.loop - 1)) as s
      union
      select n::integer from found as f
      cross join lateral (
        select jsonb_array_elements_text(v_sharing -> (f.loop - 1)) union all select jsonb_array_elements_text(v_inside -> (f.loop - 1))
      ) as x (n)
    )
    select coalesce(jsonb_agg(f.loop order by f.loop) filter (where f.loop <> o.loop), '[]') as beside from found as f
  ) as i;
end
$$;

create or replace function private.trace_graph(p_nodes jsonb, p_edges jsonb)
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
  v_waits integer[];
  v_core integer[];
  v_nesting record;
  v_pair record;
  v_crossing integer[] := '{}';
  v_first integer;
  v_core_end integer;
  v_body_end integer;
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
  v_trace.cores := '[]';
  v_trace.inside := '[]';
  v_trace.beside := '[]';
  v_trace.families := '[]';
  v_trace.interlocked := '{}';
  if cardinality(v_loop_sources) = 0 or cardinality(v_loop_sources) > 100 or 0 = any (v_trace.place) then
    return v_trace;
  end if;

  v_back := private.adjacency(v_targets, v_sources, v_count);
  v_nesting := private.nest_loops(v_forth.v_targets, v_forth.v_first, v_back.v_targets, v_back.v_first, v_loop_sources, v_loop_targets);
  v_trace.families := to_jsonb(v_nesting.v_family);
  v_trace.inside := v_nesting.v_inside;
  v_trace.beside := v_nesting.v_beside;
  for v_loop in 1 .. cardinality(v_loop_sources) loop
    v_first := v_nesting.v_family[v_loop];
    -- One of each family will do.
    if v_first <> v_loop then
      v_trace.cores := v_trace.cores || jsonb_build_array(v_trace.cores -> (v_first - 1));
      v_trace.loops := v_trace.loops || jsonb_build_array(v_trace.loops -> (v_first - 1));
      continue;
    end if;
    v_from := private.reach(v_forth.v_targets, v_forth.v_first, array[v_loop_targets[v_loop]]);
    v_to := private.reach(v_back.v_targets, v_back.v_first, array(
      select v_loop_sources[f.loop] from unnest(v_nesting.v_family) with ordinality as f (family, loop) where f.family = v_loop
    ));
    v_core := array(select g from generate_series(1, v_count) as g where v_from[g] and v_to[g]);
    v_to := private.reach(v_back.v_targets, v_back.v_first, array(
      select v_loop_sources[i::integer] from jsonb_array_elements_text(v_trace.inside -> (v_loop - 1)) as i
    ));
    v_body := array(select g from generate_series(1, v_count) as g where v_from[g] and v_to[g]);
    v_trace.cores := v_trace.cores || jsonb_build_array(to_jsonb(v_core));
    v_trace.loops := v_trace.loops || jsonb_build_array(to_jsonb(v_body));

    -- The order puts what leaves a loop behind all that its end waits for. Two nodes of no graph stand for the ends of a
    -- core and of a body, so that this takes one edge for each of both sides and not one for each pair.
    v_waits := array(
      select distinct v_loop_sources[peer.loop]
      from unnest(v_nesting.v_family) with ordinality as mine (family, loop)
      join generate_subscripts(v_loop_sources, 1) as beside (loop) on v_loop_sources[beside.loop] = v_loop_sources[mine.loop]
      join unnest(v_nesting.v_family) with ordinality as peer (family, loop) on peer.family = v_nesting.v_family[beside.loop]
      where mine.family = v_loop
    );
    v_core_end := v_count + 2 * v_loop - 1;
    v_body_end := v_count + 2 * v_loop;
    select
      v_extra_sources || coalesce(array_agg(x.s), '{}'), v_extra_targets || coalesce(array_agg(x.t), '{}')
    into v_extra_sources, v_extra_targets
    from (
      select w as s, v_core_end as t from unnest(v_waits) as w
      union all
      select distinct v_core_end, u.t from unnest(v_sources, v_targets) as u (s, t)
      where u.t > 0 and u.s = any (v_core) and not u.t = any (v_core)
      union all
      select v_count + 2 * v_nesting.v_family[i::integer] - 1, v_body_end
      from jsonb_array_elements_text(v_trace.inside -> (v_loop - 1)) as i
      union all
      select distinct v_body_end, u.t from unnest(v_sources, v_targets) as u (s, t)
      where u.t > 0 and u.s = any (v_body) and not u.t = any (v_body)
    ) as x;
  end loop;

  -- Few graphs have loops beside each other.
  for v_pair in
    select o.number::integer as one, b::integer as other, v_nesting.v_sharing -> (o.number::integer - 1) @> b as shares
    from unnest(v_nesting.v_family) with ordinality as o (family, number)
    cross join lateral jsonb_array_elements(v_nesting.v_beside -> (o.number::integer - 1)) as b
    where o.family = o.number and v_nesting.v_family[b::integer] = b::integer
  loop
    select array_agg(v_trace.loops -> (v_pair.one - 1) @> to_jsonb(g) order by g),
      array_agg(v_trace.loops -> (v_pair.other - 1) @> to_jsonb(g) order by g)
    into v_from, v_to
    from generate_series(1, v_count) as g;
    select
      v_extra_sources || coalesce(array_agg(v_count + 2 * v_pair.other - 1), '{}'), v_extra_targets || coalesce(array_agg(x.t), '{}')
    into v_extra_sources, v_extra_targets
    from (
      select distinct u.t from unnest(v_sources, v_targets) as u (s, t)
      where u.s > 0 and u.t > 0 and v_from[u.s] and not v_from[u.t] and not v_to[u.t]
    ) as x;
    if v_pair.shares then
      -- Decided once, a later turn of its source could not change it.
      v_crossing := v_crossing || array(
        select (e ->> 'source_position')::integer from jsonb_array_elements(p_edges) as e
        where e -> 'loop' = 'null' and (e -> 'label' <> 'null' or e -> 'when' <> 'null')
          and (e ->> 'source_position')::integer > 0 and (e ->> 'target_position')::integer > 0
          and v_from[(e ->> 'source_position')::integer] and not v_to[(e ->> 'source_position')::integer]
          and v_to[(e ->> 'target_position')::integer] and not v_from[(e ->> 'target_position')::integer]
      );
    end if;
  end loop;

  v_forth := private.adjacency(
    v_sources || v_extra_sources, v_targets || v_extra_targets, v_count + 2 * cardinality(v_loop_sources)
  );
  v_order := private.topological_order(v_forth.v_targets, v_forth.v_first);
  v_trace.interlocked := array(
    select g from generate_series(1, v_count) as g where v_order[g] = 0
    union
    select unnest(v_crossing)
    order by 1
  );
  if v_trace.interlocked = '{}' then
    v_trace.place := array(
      select row_number() over (order by v_order[g]) from generate_series(1, v_count) as g order by g
    );
  end if;
  return v_trace;
end
$$;

drop function private.with_families(private.graph_trace, integer[], integer[]);
