-- In Python a branch of LangGraph may be named by any value, and many are by True and False: its export says `"data": true`, which
-- was refused as no label. What a worker names is a text: the label is the text of it, "true".

-- The edges, with the numbers of their ends: 0 is the start, -1 the end, null is unknown. What an export calls a
-- conditional edge is taken when the worker names its label, or its target where it has none.
create or replace function private.read_edges(p_definition jsonb, p_nodes jsonb)
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
      coalesce(private.as_id(e.value -> 'target'), '') as target,
      e.value -> 'conditional' = 'true' and not e.value ? 'label' and not e.value ? 'when' as is_conditional
    from jsonb_array_elements(coalesce(p_definition -> 'edges', '[]')) with ordinality as e (value, position)
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'position', g.position, 'source', g.source, 'target', g.target, 'source_position', s.position,
    'target_position', t.position, 'when', nullif(g.value -> 'when', 'null'), 'loop', nullif(g.value -> 'loop', 'null'),
    'label', case
      when g.value ? 'label' then nullif(g.value -> 'label', 'null')
      -- Nobody reports the start, so nobody could name a branch there.
      when g.is_conditional and g.source <> '__start__' then case
        when jsonb_typeof(g.value -> 'data') in ('boolean', 'number') then to_jsonb(g.value ->> 'data')
        else coalesce(nullif(g.value -> 'data', 'null'), to_jsonb(g.target))
      end
    end,
    'unlabelled', g.is_conditional and coalesce(g.value -> 'data', 'null') = 'null'
  ) order by g.position), '[]')
  from given as g
  left join (select distinct on (k.id) k.* from known as k) as s on s.id = g.source
  left join (select distinct on (k.id) k.* from known as k) as t on t.id = g.target
$$;
