-- From a definition to a graph that can run. compile_definition reads our own form and both LangGraph export dialects,
-- names every fault at once with its node or edge, warns of what an import could not know, and orders the nodes
-- topologically. It writes nothing; publishing does.

-- Node ids are strings; exports that carried UUIDs have integers.
create function private.as_id(p_value jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when jsonb_typeof(p_value) in ('string', 'number') then p_value #>> '{}' end
$$;

-- A whole number however it was written (3, 3.0), or nothing where it was left out or null.
create function private.as_integer(p_value jsonb)
returns integer
language sql
immutable
set search_path = ''
as $$
  select case when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::numeric::integer end
$$;

-- A jsonpath that can be read from a state alone. In its canonical text a variable is $"name"; with every string made
-- empty nothing else looks like that.
create function private.is_path(p_value jsonb)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select case
    when jsonb_typeof(p_value) is distinct from 'string' then false
    when not pg_input_is_valid(p_value #>> '{}', 'jsonpath') then false
    else regexp_replace((p_value #>> '{}')::jsonpath::text, '"([^"\\]|\\.)*"', '""', 'g') !~ '\$"'
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
  c_max_nodes constant integer := 10000;
  c_max_edges constant integer := 50000;
  v_faults jsonb := '[]';
  v_warnings jsonb := '[]';
  v_nodes jsonb;
  v_edges jsonb;
  v_count integer;
  v_has_start boolean;
  v_has_end boolean;
  v_sources integer[];
  v_targets integer[];
  v_incoming integer[];
  v_next integer[];
  v_first integer[];
  v_back_sources integer[];
  v_back_targets integer[];
  v_back_first integer[];
  v_order integer[] := '{}';
  v_position integer[];
  v_reached boolean[];
  v_ending boolean[];
  v_queue integer[];
  v_head integer := 1;
  v_edge integer;
  v_node integer;
begin
  if octet_length(p_definition::text) > 1048576 then
    return jsonb_build_object('faults', jsonb_build_array(
      jsonb_build_object('code', 'definition_too_large', 'message', 'The definition is over 1 MiB.')));
  end if;
  if jsonb_typeof(p_definition -> 'nodes') is distinct from 'array'
    or jsonb_typeof(coalesce(p_definition -> 'edges', '[]')) <> 'array'
  then
    return jsonb_build_object('faults', jsonb_build_array(
      jsonb_build_object('code', 'invalid_definition', 'message', 'A definition needs a list "nodes" and a list "edges".')));
  end if;
  if jsonb_typeof(coalesce(nullif(p_definition -> 'state', 'null'), '{}')) <> 'object' then
    return jsonb_build_object('faults', jsonb_build_array(
      jsonb_build_object('code', 'invalid_definition', 'message', '"state" must be an object of channels and reducers.')));
  end if;
  if (
    select count(*) from jsonb_array_elements(p_definition -> 'nodes') as n
    where private.as_id(n -> 'id') is distinct from '__start__' and private.as_id(n -> 'id') is distinct from '__end__'
  ) > c_max_nodes then
    return jsonb_build_object('faults', jsonb_build_array(
      jsonb_build_object('code', 'too_many_nodes', 'message', format('A graph has at most %s nodes.', c_max_nodes))));
  end if;
  if jsonb_array_length(coalesce(p_definition -> 'edges', '[]')) > c_max_edges then
    return jsonb_build_object('faults', jsonb_build_array(
      jsonb_build_object('code', 'too_many_edges', 'message', format('A graph has at most %s edges.', c_max_edges))));
  end if;

  -- 1. Nodes, numbered 1… in the order given; what an export keeps in `metadata` counts as the node's own.
  with given as (
    select
      n.position,
      private.as_id(n.value -> 'id') as id,
      case when jsonb_typeof(n.value -> 'metadata') = 'object' then n.value -> 'metadata' else '{}' end
        || case when jsonb_typeof(n.value) = 'object' then n.value - 'metadata' - 'data' - 'id' else '{}' end as conf,
      n.value #>> '{metadata,type}' as metadata_type
    from jsonb_array_elements(p_definition -> 'nodes') with ordinality as n (value, position)
  ), typed as (
    select
      row_number() over (order by g.position) as position,
      g.id,
      g.conf,
      case
        when g.conf ->> 'type' in ('agent', 'map', 'approval', 'workflow') then g.conf ->> 'type'
        when g.metadata_type in ('agent', 'map', 'approval', 'workflow') then g.metadata_type
        when coalesce(g.conf ->> 'type', 'runnable') in ('runnable', 'schema', 'unknown') then 'agent'
      end as type
    from given as g
    where g.id is distinct from '__start__' and g.id is distinct from '__end__'
  ), resolved as (
    select
      t.*,
      coalesce(
        t.conf ->> 'agent_type',
        case when private.is_agent_type(p_project_id, t.id) then t.id end,
        p_definition #>> '{defaults,agent_type}'
      ) as agent_type
    from typed as t
  )
  select
    coalesce(jsonb_agg(jsonb_build_object(
      'position', r.position, 'node_id', r.id, 'type', r.type, 'conf', r.conf, 'agent_type', r.agent_type
    ) order by r.position), '[]'),
    coalesce(jsonb_agg(jsonb_build_object(
      'code', 'agent_type_guessed', 'node', r.id,
      'message', format('Node %s names no agent_type: %s was taken from its id or the defaults.', r.id, r.agent_type)
    ) order by r.position) filter (
      where r.type in ('agent', 'map') and r.conf ->> 'agent_type' is null and r.agent_type is not null
    ), '[]')
    || coalesce(jsonb_agg(jsonb_build_object(
      'code', 'interrupt_ignored', 'node', r.id,
      'message', format('Node %s has a static interrupt: use an approval node to wait for a person.', r.id)
    ) order by r.position) filter (where r.conf ? '__interrupt'), '[]')
  into v_nodes, v_warnings
  from resolved as r;
  v_count := jsonb_array_length(v_nodes);

  -- 2. Edges, with the numbers of their ends: 0 is the start, -1 the end, null is unknown.
  with known as (
    select (n ->> 'position')::integer as position, n ->> 'node_id' as id from jsonb_array_elements(v_nodes) as n
    union all values (0, '__start__'), (-1, '__end__')
  ), given as (
    select
      e.position,
      e.value,
      coalesce(private.as_id(e.value -> 'source'), '') as source,
      coalesce(private.as_id(e.value -> 'target'), '') as target
    from jsonb_array_elements(coalesce(p_definition -> 'edges', '[]')) with ordinality as e (value, position)
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'position', g.position, 'source', g.source, 'target', g.target, 'source_position', s.position,
    'target_position', t.position, 'when', g.value -> 'when', 'loop', g.value -> 'loop',
    'label', case
      when g.value ? 'label' then g.value -> 'label'
      when g.value -> 'conditional' = 'true' then coalesce(nullif(g.value -> 'data', 'null'), to_jsonb(g.target))
    end,
    'unlabelled', g.value -> 'conditional' = 'true' and not g.value ? 'label'
      and coalesce(g.value -> 'data', 'null') = 'null'
  ) order by g.position), '[]')
  into v_edges
  from given as g
  left join (select distinct on (k.id) k.* from known as k) as s on s.id = g.source
  left join (select distinct on (k.id) k.* from known as k) as t on t.id = g.target;

  -- 3. What can be said of each node and edge alone.
  with n as (
    select x ->> 'node_id' as id, x ->> 'type' as type, x -> 'conf' as conf, x ->> 'agent_type' as agent_type
    from jsonb_array_elements(v_nodes) as x
  ), e as (
    select x ->> 'source' as source, x ->> 'target' as target, x -> 'source_position' as s, x -> 'target_position' as t, x
    from jsonb_array_elements(v_edges) as x
  ), faults as (
    select 'invalid_node' as code, n.id as node, null as edge, 'Every node needs an id: a string of 1 to 200 characters.' as message
    from n where n.id is null or char_length(n.id) not between 1 and 200
    union all
    select 'duplicate_node', n.id, null, format('Two nodes have the id %s.', n.id)
    from n where n.id is not null group by n.id having count(*) > 1
    union all
    select 'unknown_node_type', n.id, null, format('Node %s has the unknown type %s.', n.id, n.conf ->> 'type')
    from n where n.type is null
    union all
    select 'unsupported', n.id, null, format('Node %s: nodes of type %s cannot run yet.', n.id, n.type)
    from n where n.type <> 'agent'
    union all
    select 'unsupported', n.id, null, format('Node %s: join "any" cannot run yet.', n.id)
    from n where coalesce(n.conf ->> 'join', 'all') = 'any'
    union all
    select 'unknown_agent', n.id, null, format('Node %s: there is no agent %s in this project.', n.id, n.conf ->> 'agent_id')
    from n where n.conf ->> 'agent_id' is not null and not exists (
      select from public.agents as a
      where a.id::text = n.conf ->> 'agent_id' and (a.project_id is null or a.project_id = p_project_id)
    )
    union all
    select 'missing_agent_type', n.id, null, format('Node %s needs an agent_type (in an import: in its metadata).', n.id)
    from n where n.type in ('agent', 'map') and n.agent_type is null
    union all
    select 'unknown_agent_type', n.id, null, format('Node %s: the agent type %s is not known in this project.', n.id, n.agent_type)
    from n where n.type in ('agent', 'map') and n.agent_type is not null
      and not private.is_agent_type(p_project_id, n.agent_type)
    union all
    select 'map_without_over', n.id, null, format('Map node %s needs "over", a jsonpath to a list.', n.id)
    from n where n.type = 'map' and jsonb_typeof(n.conf -> 'over') is distinct from 'string'
    union all
    select 'bad_jsonpath', n.id, null, format('Node %s: %s is no jsonpath.', n.id, n.conf ->> 'over')
    from n where n.type = 'map' and jsonb_typeof(n.conf -> 'over') = 'string' and not private.is_path(n.conf -> 'over')
    union all
    select 'invalid_node', n.id, null, format('Node %s: "input" must be an object of jsonpaths and constants.', n.id)
    from n where jsonb_typeof(n.conf -> 'input') not in ('object', 'null')
    union all
    select 'bad_jsonpath', n.id, null, format('Node %s: input %s has the bad jsonpath %s.', n.id, i.key, i.value #>> '{}')
    from n, jsonb_each(case when jsonb_typeof(n.conf -> 'input') = 'object' then n.conf -> 'input' else '{}' end) as i
    where jsonb_typeof(i.value) = 'string' and i.value #>> '{}' like '$%'
      and not private.is_path(i.value)
    union all
    select 'invalid_node', n.id, null, format('Node %s: %s must be a whole number from %s to %s.', n.id, k.name, k.low, k.high)
    from n, lateral (values
      ('retry.max_attempts', n.conf #> '{retry,max_attempts}', 1, 100),
      ('retry.backoff_seconds', n.conf #> '{retry,backoff_seconds}', 0, 86400),
      ('timeout_seconds', n.conf -> 'timeout_seconds', 1, 86400),
      ('priority', n.conf -> 'priority', -100, 100)
    ) as k (name, value, low, high)
    where k.value is not null and k.value <> 'null' and not case
      when jsonb_typeof(k.value) <> 'number' then false
      when (k.value #>> '{}')::numeric % 1 <> 0 then false
      else (k.value #>> '{}')::numeric between k.low and k.high
    end
    union all
    select 'invalid_node', n.id, null, format('Node %s: join must be "all" or "any".', n.id)
    from n where coalesce(n.conf ->> 'join', 'all') not in ('all', 'any')
    union all
    select 'unknown_node', null, e.source || ' → ' || e.target, format('Edge %s → %s: there is no node %s.', e.source, e.target,
      case when e.s = 'null' then e.source else e.target end)
    from e where e.s = 'null' or e.t = 'null'
    union all
    select 'invalid_edge', null, e.source || ' → ' || e.target, 'No edge can lead to the start or leave the end.'
    from e where e.s = '-1' or e.t = '0'
    union all
    select 'bad_jsonpath', null, e.source || ' → ' || e.target, format('Edge %s → %s: "when" is no jsonpath.', e.source, e.target)
    from e where e.x -> 'when' <> 'null' and not private.is_path(e.x -> 'when')
    union all
    select 'unsupported', null, e.source || ' → ' || e.target,
      format('Edge %s → %s: conditional and loop edges cannot run yet.', e.source, e.target)
    from e where e.x -> 'when' <> 'null' or e.x -> 'loop' <> 'null' or e.x -> 'label' <> 'null'
    union all
    select 'unknown_reducer', null, null, format('Channel %s has the unknown reducer %s.', c.key, c.value #>> '{}')
    from jsonb_each(
      case when jsonb_typeof(p_definition -> 'state') = 'object' then p_definition -> 'state' else '{}' end
    ) as c
    where coalesce(c.value #>> '{}', '') not in ('replace', 'append', 'merge', 'sum')
    union all
    select 'empty_graph', null, null, 'A graph needs at least one node between the start and the end.' where v_count = 0
  )
  select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(f))), '[]') into v_faults from faults as f;

  select v_warnings || coalesce(jsonb_agg(jsonb_build_object(
    'code', 'unlabelled_conditional', 'edge', (e ->> 'source') || ' → ' || (e ->> 'target'),
    'message', format('The conditional edge %s → %s has no label: the worker names the target to take it.',
      e ->> 'source', e ->> 'target'))), '[]')
  into v_warnings
  from jsonb_array_elements(v_edges) as e
  where (e ->> 'unlabelled')::boolean;

  if v_count = 0 then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;

  -- 4. The edges that are no loops, grouped by their source, and once more by their target for the way back.
  select coalesce(array_agg(x.s order by x.s, x.position), '{}'), coalesce(array_agg(x.t order by x.s, x.position), '{}'),
    coalesce(array_agg(x.s order by x.t, x.position), '{}'), coalesce(array_agg(x.t order by x.t, x.position), '{}'),
    coalesce(bool_or(x.s = 0), false), coalesce(bool_or(x.t = -1), false)
  into v_sources, v_targets, v_back_sources, v_back_targets, v_has_start, v_has_end
  from (
    select (e ->> 'source_position')::integer as s, (e ->> 'target_position')::integer as t, (e ->> 'position')::integer as position
    from jsonb_array_elements(v_edges) as e where e -> 'loop' = 'null'
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

  -- 5. Order: Kahn's algorithm. What it leaves over is on a cycle or behind one.
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
      where v_position[n.position] = 0
      union all
      select jsonb_build_object('code', 'unreachable_node', 'node', n.id,
        'message', format('No way leads from the start to node %s.', n.id))
      where not v_reached[n.position] and v_position[n.position] > 0
      union all
      select jsonb_build_object('code', 'no_way_to_end', 'node', n.id,
        'message', format('No way leads from node %s to the end.', n.id))
      where not v_ending[n.position]
    ) as x;
  if v_faults <> '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;

  -- 6. The graph. A node without a way on leads to the end, so that the end counts every branch.
  return jsonb_build_object(
    'faults', '[]'::jsonb,
    'warnings', v_warnings,
    'nodes', (
      select jsonb_agg(jsonb_build_object(
        'node_index', v_position[(n ->> 'position')::integer],
        'node_id', n ->> 'node_id',
        'type', n ->> 'type',
        'agent_type', n ->> 'agent_type',
        'agent_id', n #> '{conf,agent_id}',
        'incoming', v_incoming[(n ->> 'position')::integer],
        'is_entry', v_incoming[(n ->> 'position')::integer] = 0,
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
        select row_number() over (order by y.source_index, y.o) as edge_index, y.source_index, y.target_index
        from (
          select v_position[u.s] as source_index, case when u.t > 0 then v_position[u.t] end as target_index, u.o
          from unnest(v_sources, v_targets) with ordinality as u (s, t, o)
          where u.s > 0
          union all
          select v_position[g], null, 0
          from generate_series(1, v_count) as g
          where v_first[g] = 0
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
