-- A sum that no number can hold is null: what was reported stays reported, an execution that holds such outputs can be
-- read, cancelled and ended, and no data stop it. Only the channels that are sums are added up.

create function private.sum_of(p_values numeric[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return to_jsonb((select sum(v) from unnest(p_values) as v));
exception
  when numeric_value_out_of_range then
    return null;
end
$$;

create or replace function private.fold_state(p_execution_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_input jsonb;
  v_reducers jsonb;
begin
  select x.input, g.reducers into v_input, v_reducers
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id;
  -- Without reducers the last word on a channel counts, which is what an object does with a key that is given twice.
  if v_reducers = '{}' then
    return v_input || (
      select coalesce(json_object_agg(o.key, o.value order by coalesce(t.fold_order, array[t.node_index]), t.iteration), '{}')::jsonb
      from public.agent_tasks as t
      cross join lateral jsonb_each(
        case when jsonb_typeof(t.output_data) = 'object' then t.output_data else jsonb_build_object(t.node_id, t.output_data) end
      ) as o
      where t.workflow_execution_id = p_execution_id and t.status = 'completed' and t.output_data is not null
        and t.map_index is null
    );
  end if;
  return (
    with execution as (
      select x.input, g.reducers
      from public.workflow_executions as x
      join private.workflow_graphs as g on g.version_id = x.version_id
      where x.id = p_execution_id
    ), written as (
      select
        o.key as channel, o.value,
        row_number() over (order by coalesce(t.fold_order, array[t.node_index]), t.iteration, o.key) as place
      from public.agent_tasks as t
      cross join lateral jsonb_each(
        case when jsonb_typeof(t.output_data) = 'object' then t.output_data else jsonb_build_object(t.node_id, t.output_data) end
      ) as o
      where t.workflow_execution_id = p_execution_id and t.status = 'completed' and t.output_data is not null
        and t.map_index is null
      union all
      select i.key, i.value, 0 from execution as x cross join jsonb_each(x.input) as i
    ), folded as (
      select
        w.channel,
        case x.reducers ->> w.channel
          when 'append' then (
            select coalesce(json_agg(e.value order by p.place, e.place), '[]')::jsonb
            from unnest(array_agg(w.value order by w.place)) with ordinality as p (value, place)
            cross join lateral jsonb_array_elements(
              case when jsonb_typeof(p.value) = 'array' then p.value else jsonb_build_array(p.value) end
            ) with ordinality as e (value, place)
          )
          when 'sum' then private.sum_of(array_agg(case when jsonb_typeof(w.value) = 'number' then (w.value #>> '{}')::numeric end))
          when 'merge' then (
            select coalesce(json_object_agg(e.key, e.value order by p.place), '{}')::jsonb
            from unnest(array_agg(w.value order by w.place)) with ordinality as p (value, place)
            cross join lateral jsonb_each(case when jsonb_typeof(p.value) = 'object' then p.value else '{}' end) as e
          )
          else (array_agg(w.value order by w.place desc))[1]
        end as value
      from written as w
      cross join execution as x
      group by w.channel, x.reducers
    )
    select coalesce(json_object_agg(f.channel, f.value), '{}')::jsonb from folded as f
  );
end
$$;
