-- A node without an id and an edge without its ends had faults that named no place, or an empty one, and two of them had the
-- same twice. They are called by their places in the lists.

create or replace function private.read_nodes(p_project_id uuid, p_definition jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with given as (
    select
      n.position as place,
      private.as_id(n.value -> 'id') as id,
      case when jsonb_typeof(n.value -> 'metadata') = 'object' then n.value -> 'metadata' else '{}' end
        || case when jsonb_typeof(n.value) = 'object' then n.value - 'metadata' - 'data' - 'id' else '{}' end as conf,
      n.value #>> '{metadata,type}' as metadata_type
    from jsonb_array_elements(p_definition -> 'nodes') with ordinality as n (value, position)
  ), typed as (
    select
      g.place,
      row_number() over (order by g.place) as position,
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
        (select p_definition #>> '{defaults,agent_type}')
      ) as agent_type
    from typed as t
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'position', r.position, 'node_id', coalesce(nullif(r.id, ''), format('nodes[%s]', r.place - 1)),
    'has_id', coalesce(r.id, '') <> '', 'type', r.type, 'conf', r.conf, 'agent_type', r.agent_type
  ) order by r.position), '[]')
  from resolved as r
$$;

create or replace function private.part_faults(p_project_id uuid, p_definition jsonb, p_nodes jsonb, p_edges jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with n as (
    select (x ->> 'position')::integer as position, x ->> 'node_id' as id, (x ->> 'has_id')::boolean as has_id, x ->> 'type' as type,
      x -> 'conf' as conf, x ->> 'agent_type' as agent_type
    from jsonb_array_elements(p_nodes) as x
  ), e as (
    select x ->> 'source' as source, x ->> 'target' as target, x -> 'source_position' as s, x -> 'target_position' as t, x,
      case
        when '' in (x ->> 'source', x ->> 'target') then format('edges[%s]', (x ->> 'position')::integer - 1)
        else (x ->> 'source') || ' → ' || (x ->> 'target')
      end as name, n.type as source_type
    from jsonb_array_elements(p_edges) as x
    left join n on n.position = (x ->> 'source_position')::integer
  ), numbers as (
    select n.id, k.name, k.value, k.low, k.high
    from n, lateral (values
      ('retry.max_attempts', n.conf #> '{retry,max_attempts}', 1, 100),
      ('retry.backoff_seconds', n.conf #> '{retry,backoff_seconds}', 0, 86400),
      ('timeout_seconds', n.conf -> 'timeout_seconds', 1, 86400),
      ('delay_seconds', n.conf -> 'delay_seconds', 0, 2592000),
      ('priority', n.conf -> 'priority', -100, 100),
      ('approvals', n.conf -> 'approvals', 1, 10)
    ) as k (name, value, low, high)
  ), faults as (
    select 'invalid_node' as code, n.id as node, null as edge, 'Every node needs an id: a string of 1 to 200 characters.' as message
    from n where not n.has_id or char_length(n.id) > 200
    union all
    select 'duplicate_node', n.id, null, format('Two nodes have the id %s.', n.id)
    from n where n.has_id group by n.id having count(*) > 1
    union all
    select 'unknown_node_type', n.id, null, format('Node %s has the unknown type %s.', n.id, n.conf ->> 'type')
    from n where n.type is null
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
    select 'unknown_workflow', n.id, null,
      format('Node %s: "workflow_id" must name a published workflow of this project (and "version" one of its versions).', n.id)
    from n where n.type = 'workflow' and not exists (
      select from public.workflows as w
      join public.workflow_versions as v on v.workflow_id = w.id
      where w.id::text = lower(n.conf ->> 'workflow_id') and w.project_id = p_project_id
        and v.version::text = coalesce(n.conf ->> 'version', w.current_version::text)
    )
    union all
    select 'invalid_node', n.id, null, format('Node %s: "role" must be editor or owner.', n.id)
    from n where n.type = 'approval' and coalesce(n.conf ->> 'role', 'editor') not in ('editor', 'owner')
    union all
    select 'invalid_node', n.id, null, format('Node %s: "input" must be an object of jsonpaths and constants.', n.id)
    from n where jsonb_typeof(n.conf -> 'input') not in ('object', 'null')
    union all
    select 'bad_jsonpath', n.id, null, format('Node %s: input %s has the bad jsonpath %s.', n.id, i.key, i.value #>> '{}')
    from n, jsonb_each(case when jsonb_typeof(n.conf -> 'input') = 'object' then n.conf -> 'input' else '{}' end) as i
    where jsonb_typeof(i.value) = 'string' and i.value #>> '{}' like '$%'
      and not private.is_path(i.value)
    union all
    select 'invalid_node', n.id, null, format('Node %s: "retry" must be an object with max_attempts and backoff_seconds.', n.id)
    from n where jsonb_typeof(n.conf -> 'retry') not in ('object', 'null')
    union all
    select 'invalid_node', k.id, null, format('Node %s: %s must be a whole number from %s to %s.', k.id, k.name, k.low, k.high)
    from numbers as k
    where k.value is not null and k.value <> 'null' and not case
      when jsonb_typeof(k.value) <> 'number' then false
      when (k.value #>> '{}')::numeric % 1 <> 0 then false
      else (k.value #>> '{}')::numeric between k.low and k.high
    end
    union all
    select 'invalid_node', n.id, null, format('Node %s: "join" must be "all" or "any".', n.id)
    from n where coalesce(n.conf ->> 'join', 'all') not in ('all', 'any')
    union all
    select 'invalid_node', n.id, null, format('Node %s: "on_failure" must be "fail", "skip" or "continue".', n.id)
    from n where coalesce(n.conf ->> 'on_failure', 'fail') not in ('fail', 'skip', 'continue')
    union all
    select 'unknown_node', null, e.name, case
      when '' in (e.source, e.target) then format('%s: every edge needs a source and a target.', e.name)
      else format('Edge %s: there is no node %s.', e.name, case when e.s = 'null' then e.source else e.target end)
    end
    from e where e.s = 'null' or e.t = 'null'
    union all
    select 'invalid_edge', null, e.name, 'No edge can lead to the start or leave the end.'
    from e where e.s = '-1' or e.t = '0'
    union all
    select 'bad_jsonpath', null, e.name, format('Edge %s: "when" is no jsonpath.', e.name)
    from e where e.x -> 'when' <> 'null' and not private.is_path(e.x -> 'when')
    union all
    select 'invalid_edge', null, e.name, format('Edge %s: "label" must be a string of 1 to 200 characters.', e.name)
    from e where e.x -> 'label' <> 'null'
      and (jsonb_typeof(e.x -> 'label') <> 'string' or char_length(e.x ->> 'label') not between 1 and 200)
    union all
    select 'invalid_edge', null, e.name, format('Edge %s: only agents and approvals name a label; use "when" here.', e.name)
    from e where e.x -> 'label' <> 'null' and (e.s = '0' or e.source_type in ('map', 'workflow'))
    union all
    select 'invalid_edge', null, e.name,
      format('Edge %s: "loop" needs max_iterations, a whole number from 1 to 1000, and may say on_exhausted: "continue" or "fail".', e.name)
    from e where e.x -> 'loop' <> 'null' and not (
      case
        when jsonb_typeof(e.x #> '{loop,max_iterations}') is distinct from 'number' then false
        when (e.x #>> '{loop,max_iterations}')::numeric % 1 <> 0 then false
        else (e.x #>> '{loop,max_iterations}')::numeric between 1 and 1000
      end
      and coalesce(e.x #>> '{loop,on_exhausted}', 'continue') in ('continue', 'fail')
    )
    union all
    select 'invalid_edge', null, e.name, format('Edge %s: a loop leads from a node back to a node.', e.name)
    from e where e.x -> 'loop' <> 'null' and (e.s = '0' or e.t = '-1')
    union all
    select 'too_many_loops', null, null, 'A graph has at most 100 loops.'
    from e where e.x -> 'loop' <> 'null' having count(*) > 100
    union all
    select 'unknown_reducer', null, null, format('Channel %s has the unknown reducer %s.', c.key, c.value #>> '{}')
    from jsonb_each(
      case when jsonb_typeof(p_definition -> 'state') = 'object' then p_definition -> 'state' else '{}' end
    ) as c
    where coalesce(c.value #>> '{}', '') not in ('replace', 'append', 'merge', 'sum')
    union all
    select 'invalid_definition', null, null, '"concurrency_limit" must be a whole number from 1 to 10000.'
    where coalesce(p_definition -> 'concurrency_limit', 'null') <> 'null' and not case
      when jsonb_typeof(p_definition -> 'concurrency_limit') <> 'number' then false
      when (p_definition ->> 'concurrency_limit')::numeric % 1 <> 0 then false
      else (p_definition ->> 'concurrency_limit')::numeric between 1 and 10000
    end
    union all
    select 'empty_graph', null, null, 'A graph needs at least one node between the start and the end.' where p_nodes = '[]'
  )
  select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(f))), '[]') from faults as f
$$;
