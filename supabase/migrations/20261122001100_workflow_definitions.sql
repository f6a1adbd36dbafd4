-- Reading a definition: our own form and both LangGraph export dialects become one list of nodes and one of edges, and
-- what is wrong with each of them alone is named, with its node or edge. Nothing is written here.

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

-- The nodes between start and end, numbered 1… in the order given; what an export keeps in `metadata` counts as the
-- node's own.
create function private.read_nodes(p_project_id uuid, p_definition jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
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
  select coalesce(jsonb_agg(jsonb_build_object(
    'position', r.position, 'node_id', r.id, 'type', r.type, 'conf', r.conf, 'agent_type', r.agent_type
  ) order by r.position), '[]')
  from resolved as r
$$;

-- The edges, with the numbers of their ends: 0 is the start, -1 the end, null is unknown.
create function private.read_edges(p_definition jsonb, p_nodes jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with known as (
    select (n ->> 'position')::integer as position, n ->> 'node_id' as id from jsonb_array_elements(p_nodes) as n
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
  from given as g
  left join (select distinct on (k.id) k.* from known as k) as s on s.id = g.source
  left join (select distinct on (k.id) k.* from known as k) as t on t.id = g.target
$$;

-- What an import could not know, so that nothing is guessed in silence.
create function private.import_warnings(p_nodes jsonb, p_edges jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select
    coalesce(
      (
        select jsonb_agg(jsonb_build_object(
          'code', 'agent_type_guessed', 'node', n ->> 'node_id',
          'message', format('Node %s names no agent_type: %s was taken from its id or the defaults.', n ->> 'node_id', n ->> 'agent_type')
        ) order by (n ->> 'position')::integer)
        from jsonb_array_elements(p_nodes) as n
        where n ->> 'type' in ('agent', 'map') and n #>> '{conf,agent_type}' is null and n ->> 'agent_type' is not null
      ), '[]'
    )
    || coalesce(
      (
        select jsonb_agg(jsonb_build_object(
          'code', 'interrupt_ignored', 'node', n ->> 'node_id',
          'message', format('Node %s has a static interrupt: use an approval node to wait for a person.', n ->> 'node_id')
        ) order by (n ->> 'position')::integer)
        from jsonb_array_elements(p_nodes) as n
        where n -> 'conf' ? '__interrupt'
      ), '[]'
    )
    || coalesce(
      (
        select jsonb_agg(jsonb_build_object(
          'code', 'unlabelled_conditional', 'edge', (e ->> 'source') || ' → ' || (e ->> 'target'),
          'message', format('The conditional edge %s → %s has no label: the worker names the target to take it.',
            e ->> 'source', e ->> 'target')
        ) order by (e ->> 'position')::integer)
        from jsonb_array_elements(p_edges) as e
        where (e ->> 'unlabelled')::boolean
      ), '[]'
    )
$$;

-- The one fault that makes reading on pointless: the wrong shape, or too much of it.
create function private.definition_fault(p_definition jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_max_nodes constant integer := 10000;
  c_max_edges constant integer := 50000;
begin
  if octet_length(p_definition::text) > 1048576 then
    return jsonb_build_object('code', 'definition_too_large', 'message', 'The definition is over 1 MiB.');
  end if;
  if jsonb_typeof(p_definition -> 'nodes') is distinct from 'array'
    or jsonb_typeof(coalesce(p_definition -> 'edges', '[]')) <> 'array'
  then
    return jsonb_build_object('code', 'invalid_definition', 'message', 'A definition needs a list "nodes" and a list "edges".');
  end if;
  if jsonb_typeof(coalesce(nullif(p_definition -> 'state', 'null'), '{}')) <> 'object' then
    return jsonb_build_object('code', 'invalid_definition', 'message', '"state" must be an object of channels and reducers.');
  end if;
  if (
    select count(*) from jsonb_array_elements(p_definition -> 'nodes') as n
    where private.as_id(n -> 'id') is distinct from '__start__' and private.as_id(n -> 'id') is distinct from '__end__'
  ) > c_max_nodes then
    return jsonb_build_object('code', 'too_many_nodes', 'message', format('A graph has at most %s nodes.', c_max_nodes));
  end if;
  if jsonb_array_length(coalesce(p_definition -> 'edges', '[]')) > c_max_edges then
    return jsonb_build_object('code', 'too_many_edges', 'message', format('A graph has at most %s edges.', c_max_edges));
  end if;
  return null;
end
$$;

-- What can be said of each node and edge alone.
create function private.part_faults(p_project_id uuid, p_definition jsonb, p_nodes jsonb, p_edges jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with n as (
    select x ->> 'node_id' as id, x ->> 'type' as type, x -> 'conf' as conf, x ->> 'agent_type' as agent_type
    from jsonb_array_elements(p_nodes) as x
  ), e as (
    select x ->> 'source' as source, x ->> 'target' as target, x -> 'source_position' as s, x -> 'target_position' as t, x
    from jsonb_array_elements(p_edges) as x
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
    select 'empty_graph', null, null, 'A graph needs at least one node between the start and the end.' where p_nodes = '[]'
  )
  select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(f))), '[]') from faults as f
$$;
