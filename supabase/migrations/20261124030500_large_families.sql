-- Publishing a supervisor with ninety agents of fifty nodes each took twenty seconds, where a statement has eight: what leaves a
-- family was multiplied by what it waits for before it was found out what leaves it, and the nodes of all its loops were sorted by
-- their sources. And one constant with a long list of texts took as long (see the migration before).
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
    -- As they were traced: with those of nodes that are left out.
    select e.edge_index, e.source_index, l.number
    from edges as e
    join (
      select (x ->> 'position')::integer as place, row_number() over (order by (x ->> 'position')::integer)::integer as number
      from jsonb_array_elements(p_edges) as x
      where x -> 'loop' <> 'null' and (x ->> 'source_position')::integer > 0 and (x ->> 'target_position')::integer > 0
    ) as l on l.place = e.place
    where e.is_loop
  ), families as (
    select p_trace.families -> (l.number - 1) as family, array_agg(distinct l.source_index order by l.source_index) as sources,
      min(l.edge_index) as first_edge
    from numbered as l
    group by p_trace.families -> (l.number - 1)
  ), bodies as (
    -- Each for itself: all of them together would be sorted by their sources, too.
    select l.edge_index, f.sources, f.first_edge, b.body
    from numbered as l
    join families as f on f.family = p_trace.families -> (l.number - 1)
    cross join lateral (
      select array_agg(k.node_index order by k.node_index) as body
      from jsonb_array_elements_text(p_trace.loops -> (l.number - 1)) as b (position)
      join known as k on k.position = b.position::integer
    ) as b
    where b.body is not null
  ), members as (
    select b.edge_index, b.sources[cardinality(b.sources)] as last_source, b.first_edge, cardinality(b.body) as size, n.node_index
    from bodies as b cross join lateral unnest(b.body) as n (node_index)
  ), rings as (
    -- A family counts its turns together, so one of it stands for all.
    select m.node_index, array_agg(m.edge_index order by m.size desc, m.last_source desc, m.edge_index) as loops
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
  ), leaving as materialized (
    -- Before what each of them waits for, which in a large family is as many for every edge inside.
    select e.edge_index, e.target_index, m.edge_index as loop
    from edges as e
    join members as m on m.node_index = e.source_index
    left join members as b on b.edge_index = m.edge_index and b.node_index = e.target_index
    where not e.is_loop and b.edge_index is null
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
    select v.edge_index, i.edge_index
    from (
      select distinct v.edge_index, p_trace.inside -> (l.number - 1) as inside
      from leaving as v
      join numbered as l on l.edge_index = v.loop
    ) as v
    cross join lateral jsonb_array_elements_text(v.inside) as n (number)
    join numbered as i on i.number = n.number::integer
    union
    select v.edge_index, i.edge_index
    from (
      select distinct v.edge_index, v.target_index, p_trace.beside -> (l.number - 1) as beside
      from leaving as v
      join numbered as l on l.edge_index = v.loop
    ) as v
    cross join lateral jsonb_array_elements_text(v.beside) as n (number)
    join numbered as i on i.number = n.number::integer
    left join members as t on t.edge_index = i.edge_index and t.node_index = v.target_index
    where t.edge_index is null
  ), exits as (
    select g.edge_index, array_agg(g.gate order by g.gate) as gates from gates as g group by g.edge_index
  ), entrances as (
    select distinct e.edge_index
    from edges as e
    join members as m on m.node_index = e.target_index and m.edge_index = m.first_edge
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
      select json_agg(jsonb_build_object(
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
      ))::jsonb
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
