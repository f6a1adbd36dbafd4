-- A definition of a megabyte was unpacked anew for each of its nodes that names no agent_type: publishing 10,000 nodes with
-- defaults.agent_type took longer than a statement may. As a query of its own the default is read once.
create or replace function private.read_nodes(p_project_id uuid, p_definition jsonb)
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
        (select p_definition #>> '{defaults,agent_type}')
      ) as agent_type
    from typed as t
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'position', r.position, 'node_id', r.id, 'type', r.type, 'conf', r.conf, 'agent_type', r.agent_type
  ) order by r.position), '[]')
  from resolved as r
$$;
