-- A loop inside another was refused where the outer one comes to its end only behind it: an agent with tools as a graph of
-- its own, exported with xray, in the circle of a supervisor. The way to the tools leaves the outer loop's core, so it waited
-- for the outer loop, whose source waited for the inner one. Nothing decides the outer loop before the inner one has ended:
-- the edges of such a detour wait for nothing.

-- detours: of each loop, the edges, by position, that lie in the core of a loop inside which holds none of its own sources.
alter type private.graph_trace add attribute detours jsonb;

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
  v_positions integer[];
  v_loop_sources integer[];
  v_loop_targets integer[];
  v_has_start boolean;
  v_has_end boolean;
  v_forth record;
  v_back record;
  v_from boolean[];
  v_to boolean[];
  v_body integer[];
  v_inner record;
  v_from_inner boolean[];
  v_to_inner boolean[];
  v_detours integer[];
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
    coalesce(array_agg(x.position order by x.position) filter (where not x.is_loop), '{}'),
    coalesce(array_agg(x.s order by x.position) filter (where x.is_loop), '{}'),
    coalesce(array_agg(x.t order by x.position) filter (where x.is_loop), '{}'),
    coalesce(bool_or(x.s = 0), false), coalesce(bool_or(x.t = -1), false)
  into v_sources, v_targets, v_positions, v_loop_sources, v_loop_targets, v_has_start, v_has_end
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
  v_trace.detours := '[]';
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
      v_trace.detours := v_trace.detours || jsonb_build_array(v_trace.detours -> (v_first - 1));
      continue;
    end if;
    v_from := private.reach(v_forth.v_targets, v_forth.v_first, array[v_loop_targets[v_loop]]);
    v_to := private.reach(v_back.v_targets, v_back.v_first, array(
      select v_loop_sources[f.loop] from unnest(v_nesting.v_family) with ordinality as f (family, loop) where f.family = v_loop
    ));
    v_core := array(select g from generate_series(1, v_count) as g where v_from[g] and v_to[g]);

    -- Only a loop inside with a source outside of the core has ways that leave it.
    v_detours := '{}';
    for v_inner in
      select v_nesting.v_family[i::integer] as family, min(v_loop_targets[i::integer]) as target,
        array_agg(v_loop_sources[i::integer]) as sources
      from jsonb_array_elements_text(v_trace.inside -> (v_loop - 1)) as i
      group by v_nesting.v_family[i::integer]
      having not bool_and(v_from[v_loop_sources[i::integer]] and v_to[v_loop_sources[i::integer]])
    loop
      v_from_inner := private.reach(v_forth.v_targets, v_forth.v_first, array[v_inner.target]);
      v_to_inner := private.reach(v_back.v_targets, v_back.v_first, v_inner.sources);
      continue when exists (
        select from unnest(v_nesting.v_family) with ordinality as f (family, loop)
        where f.family = v_loop and v_from_inner[v_loop_sources[f.loop]] and v_to_inner[v_loop_sources[f.loop]]
      );
      v_detours := v_detours || array(
        select u.position from unnest(v_sources, v_targets, v_positions) as u (s, t, position)
        where u.s > 0 and u.t > 0 and v_from_inner[u.s] and v_to_inner[u.s] and v_to_inner[u.t]
      );
    end loop;
    v_trace.detours := v_trace.detours || jsonb_build_array(to_jsonb(v_detours));

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
      select distinct v_core_end, u.t from unnest(v_sources, v_targets, v_positions) as u (s, t, position)
      where u.t > 0 and u.s = any (v_core) and not u.t = any (v_core) and not u.position = any (v_detours)
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

create or replace function private.graph_rows(p_definition jsonb, p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace, p_is_import boolean)
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
  ), numbered as (
    select e.edge_index, e.source_index, (row_number() over (order by e.place))::integer as number from edges as e where e.is_loop
  ), families as (
    select p_trace.families -> (l.number - 1) as family, array_agg(distinct l.source_index order by l.source_index) as sources,
      min(l.edge_index) as first_edge
    from numbered as l
    group by p_trace.families -> (l.number - 1)
  ), bodies as (
    select l.edge_index, f.sources, f.first_edge, array_agg(k.node_index order by k.node_index) as body
    from numbered as l
    join families as f on f.family = p_trace.families -> (l.number - 1)
    cross join lateral jsonb_array_elements_text(p_trace.loops -> (l.number - 1)) as b (position)
    join known as k on k.position = b.position::integer
    group by l.edge_index, f.sources, f.first_edge
  ), members as (
    select b.edge_index, b.sources, b.first_edge, cardinality(b.body) as size, n.node_index
    from bodies as b cross join lateral unnest(b.body) as n (node_index)
  ), rings as (
    -- A family counts its turns together, so one of it stands for all.
    select m.node_index, array_agg(m.edge_index order by m.size desc, m.sources[cardinality(m.sources)] desc, m.edge_index) as loops
    from members as m
    where m.edge_index = m.first_edge
    group by m.node_index
  ), core_members as (
    select l.edge_index, k.node_index
    from numbered as l
    cross join lateral jsonb_array_elements_text(p_trace.cores -> (l.number - 1)) as c (position)
    join known as k on k.position = c.position::integer
  ), detours as (
    select l.edge_index, d.place::integer as place
    from numbered as l cross join lateral jsonb_array_elements_text(p_trace.detours -> (l.number - 1)) as d (place)
  ), gates as (
    -- What leaves a core waits until its loop is done with it, but for detours; what leaves a body waits for every loop inside as well, and
    -- for those beside it, of which a turn could open it again.
    select e.edge_index, m.edge_index as gate
    from edges as e
    join core_members as m on m.node_index = e.source_index
    left join core_members as c on c.edge_index = m.edge_index and c.node_index = e.target_index
    left join detours as d on d.edge_index = m.edge_index and d.place = e.place
    where not e.is_loop and c.edge_index is null and d.edge_index is null
    union
    select e.edge_index, i.edge_index
    from edges as e
    join members as m on m.node_index = e.source_index
    left join members as b on b.edge_index = m.edge_index and b.node_index = e.target_index
    join numbered as l on l.edge_index = m.edge_index
    cross join lateral jsonb_array_elements_text(p_trace.inside -> (l.number - 1)) as n (number)
    join numbered as i on i.number = n.number::integer
    where not e.is_loop and b.edge_index is null
    union
    select e.edge_index, i.edge_index
    from edges as e
    join members as m on m.node_index = e.source_index
    left join members as b on b.edge_index = m.edge_index and b.node_index = e.target_index
    join numbered as l on l.edge_index = m.edge_index
    cross join lateral jsonb_array_elements_text(p_trace.beside -> (l.number - 1)) as n (number)
    join numbered as i on i.number = n.number::integer
    left join members as t on t.edge_index = i.edge_index and t.node_index = e.target_index
    where not e.is_loop and b.edge_index is null and t.edge_index is null
  ), exits as (
    select g.edge_index, array_agg(g.gate order by g.gate) as gates from gates as g group by g.edge_index
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
        'loop_body', b.body, 'loop_sources', b.sources, 'gates', x.gates, 'is_recorded', i.edge_index is not null or x.edge_index is not null
      )), '[]')
      from edges as e
      left join bodies as b on b.edge_index = e.edge_index
      left join exits as x on x.edge_index = e.edge_index
      left join entrances as i on i.edge_index = e.edge_index
      where e.source_index > 0 or (select m.mode from mode as m) <> 'plain'
    )
  )
$$;
