-- Several ways back to one node: a supervisor whose agents each report to it. Two loops into one node, of which neither
-- source leads to the other, waited for each other to end and were refused. They are a family now: one body, one end, and
-- one new turn when the last of their sources is done.

-- The sources of all loops of the family, in order; of a loop alone its own.
alter table private.workflow_edges add column loop_sources integer[];
update private.workflow_edges as e set loop_sources = array[e.source_index] where e.loop_max_iterations is not null;

-- families: of each loop in the order given, the number of the first loop of its family.
alter type private.graph_trace add attribute families jsonb;

-- Loops into one node of which neither source leads to the other: a family, named by the first of its loops. Its body is
-- that of all of them together. A loop that is half inside and half outside of a family could begin a turn of which the
-- edges that leave the family know nothing: its source counts as interlocked.
create function private.with_families(p_trace private.graph_trace, p_sources integer[], p_targets integer[])
returns private.graph_trace
language plpgsql
stable
set search_path = ''
as $$
declare
  v_trace private.graph_trace := p_trace;
  v_count integer := cardinality(p_sources);
  v_family integer[] := array(select generate_series(1, v_count));
  v_old integer;
  v_new integer;
begin
  for v_one in 1 .. v_count loop
    for v_other in v_one + 1 .. v_count loop
      continue when p_targets[v_one] <> p_targets[v_other] or v_family[v_one] = v_family[v_other]
        or p_trace.loops -> (v_one - 1) @> to_jsonb(p_sources[v_other])
        or p_trace.loops -> (v_other - 1) @> to_jsonb(p_sources[v_one]);
      v_new := least(v_family[v_one], v_family[v_other]);
      v_old := greatest(v_family[v_one], v_family[v_other]);
      v_family := array_replace(v_family, v_old, v_new);
    end loop;
  end loop;
  v_trace.families := to_jsonb(v_family);
  if v_family = array(select generate_series(1, v_count)) then
    return v_trace;
  end if;

  select jsonb_agg(u.body order by g.loop)
  into v_trace.loops
  from generate_series(1, v_count) as g (loop)
  join (
    select v_family[l.loop] as family, jsonb_agg(distinct b.node order by b.node) as body
    from generate_series(1, v_count) as l (loop)
    cross join lateral jsonb_array_elements(p_trace.loops -> (l.loop - 1)) as b (node)
    group by v_family[l.loop]
  ) as u on u.family = v_family[g.loop];
  v_trace.interlocked := array(
    select distinct p_sources[other.loop]
    from generate_series(1, v_count) as f (loop)
    join generate_series(1, v_count) as other (loop) on v_family[other.loop] <> v_family[f.loop]
    cross join lateral (
      select
        count(*) filter (where v_trace.loops -> (other.loop - 1) @> b.node) as shared,
        count(*) as own
      from jsonb_array_elements(v_trace.loops -> (f.loop - 1)) as b (node)
    ) as n
    where v_family[f.loop] = f.loop and (select count(*) from unnest(v_family) as x where x = f.loop) > 1
      and n.shared > 0 and n.shared < n.own and n.shared < jsonb_array_length(v_trace.loops -> (other.loop - 1))
  );
  return v_trace;
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
  v_trace.families := '[]';
  v_trace.interlocked := '{}';
  if cardinality(v_loop_sources) = 0 or cardinality(v_loop_sources) > 100 or 0 = any (v_trace.place) then
    return v_trace;
  end if;

  -- The body of a loop is what lies on the ways from its target to its source, or to any source of its family.
  v_back := private.adjacency(v_targets, v_sources, v_count);
  for v_loop in 1 .. cardinality(v_loop_sources) loop
    v_from := private.reach(v_forth.v_targets, v_forth.v_first, array[v_loop_targets[v_loop]]);
    v_to := private.reach(v_back.v_targets, v_back.v_first, array[v_loop_sources[v_loop]]);
    v_trace.loops := v_trace.loops || jsonb_build_array(to_jsonb(
      array(select g from generate_series(1, v_count) as g where v_from[g] and v_to[g])
    ));
  end loop;
  v_trace := private.with_families(v_trace, v_loop_sources, v_loop_targets);

  -- What leaves a loop waits until all that its end waits for is done, so the order puts that before it.
  for v_loop in 1 .. cardinality(v_loop_sources) loop
    -- One of each family will do.
    continue when (v_trace.families ->> (v_loop - 1))::integer <> v_loop;
    v_body := array(select b::integer from jsonb_array_elements_text(v_trace.loops -> (v_loop - 1)) as b);
    v_waits := array(
      select distinct v_loop_sources[peer.loop]
      from generate_series(1, cardinality(v_loop_sources)) as mine (loop)
      join generate_series(1, cardinality(v_loop_sources)) as beside (loop)
        on v_loop_sources[beside.loop] = v_loop_sources[mine.loop]
      join generate_series(1, cardinality(v_loop_sources)) as peer (loop)
        on v_trace.families -> (peer.loop - 1) = v_trace.families -> (beside.loop - 1)
      where v_trace.families -> (mine.loop - 1) = to_jsonb(v_loop)
    );
    select
      v_extra_sources || coalesce(array_agg(w.w), '{}'), v_extra_targets || coalesce(array_agg(x.t), '{}')
    into v_extra_sources, v_extra_targets
    from unnest(v_waits) as w (w)
    cross join (
      select distinct u.t from unnest(v_sources, v_targets) as u (s, t)
      where u.t > 0 and u.s = any (v_body) and not u.t = any (v_body)
    ) as x;
  end loop;
  v_forth := private.adjacency(v_sources || v_extra_sources, v_targets || v_extra_targets, v_count);
  v_order := private.topological_order(v_forth.v_targets, v_forth.v_first);
  v_trace.interlocked := array(
    select g from generate_series(1, v_count) as g where v_order[g] = 0
    union
    select unnest(v_trace.interlocked)
    order by 1
  );
  if v_trace.interlocked = '{}' then
    v_trace.place := v_order;
  end if;
  return v_trace;
end
$$;

create or replace function private.graph_faults(p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace, p_is_import boolean)
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
            'message', format(
              'Node %s: two loops here would wait for each other to end. Let every way inside the inner one lead on to one node that '
                'carries its loop edge and what comes after it, or make it a workflow of its own.', n.id))
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
