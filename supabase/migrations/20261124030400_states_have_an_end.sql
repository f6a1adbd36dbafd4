-- The outputs of an execution can be more than can be put together in the time of a statement: from some 200 MB on the last report
-- was `unavailable` however often it was sent, beyond what one value can hold (256 MiB) too. A state has 128 MiB at most, which takes
-- seconds: the report is `payload_too_large` then, as it was beyond that size, and what ends such an execution in another way
-- keeps its input as the state.
create or replace function private.fold_state(p_execution_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_max_bytes constant bigint := 134217728;
  -- So many outputs are never more, as each has a mebibyte at most. What is more is measured, until there is too much.
  c_few constant integer := 128;
  v_are_many boolean;
  v_bytes bigint := 0;
  v_size integer;
  v_input jsonb;
  v_reducers jsonb;
begin
  select x.input, g.reducers, exists (
    select from public.agent_tasks as t where t.workflow_execution_id = p_execution_id and t.map_index is null offset c_few
  )
  into v_input, v_reducers, v_are_many
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id;
  if v_are_many then
    for v_size in
      select octet_length(t.output_data::text)
      from public.agent_tasks as t
      where t.workflow_execution_id = p_execution_id and t.status = 'completed' and t.output_data is not null and t.map_index is null
    loop
      v_bytes := v_bytes + v_size;
      if v_bytes > c_max_bytes then
        raise program_limit_exceeded using
          message = 'The outputs of this execution are together more than its state can hold, which is 128 MiB.';
      end if;
    end loop;
  end if;
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
        private.fold_channel(x.reducers ->> w.channel, array_agg(w.value order by w.place)) as value
      from written as w
      cross join execution as x
      group by w.channel, x.reducers
    )
    select coalesce(json_object_agg(f.channel, f.value), '{}')::jsonb from folded as f
  );
end
$$;
