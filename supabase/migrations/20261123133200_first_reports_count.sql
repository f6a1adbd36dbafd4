-- Of two reports about one task in one batch the first counts. Where the first brought artifacts or messages and the second was
-- plain, the second was applied with the plain reports of the batch, before the first had its turn: that one was refused as
-- reported already, and its artifacts were lost.

-- The reports of a batch that are well-formed, plain, and the first about their task.
create or replace function private.plain_reports(p_results jsonb)
returns private.plain_report[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select array_agg((
      x.place, x.task_id, sha256(uuid_send(x.lease_token)),
      md5(jsonb_build_array(
        x.lease_token, 'completed', x.value -> 'output_data', x.error_message, x.label, '[]'::jsonb, '[]'::jsonb
      )::text),
      x.label, x.error_message, x.execution_time_ms
    )::private.plain_report)
    from (
      select distinct on (i.task_id) i.*
      from (
        select
          r.place::integer as place, r.value, r.value ->> 'label' as label, r.value ->> 'error_message' as error_message,
          case when pg_input_is_valid(r.value ->> 'task_id', 'uuid') then (r.value ->> 'task_id')::uuid end as task_id,
          case when pg_input_is_valid(r.value ->> 'lease_token', 'uuid') then (r.value ->> 'lease_token')::uuid end as lease_token,
          case
            when pg_input_is_valid(coalesce(r.value ->> 'execution_time_ms', '0'), 'integer')
              then (r.value ->> 'execution_time_ms')::integer
            else -1
          end as execution_time_ms
        from jsonb_array_elements(p_results) with ordinality as r (value, place)
        where jsonb_typeof(r.value) = 'object'
      ) as i
      where i.task_id is not null
      order by i.task_id, i.place
    ) as x
    where x.value ->> 'status' = 'completed'
      and coalesce(x.value -> 'artifacts', 'null') in ('null', '[]') and coalesce(x.value -> 'messages', 'null') in ('null', '[]')
      and x.lease_token is not null and (x.execution_time_ms is null or x.execution_time_ms >= 0)
      and (x.label is null or char_length(x.label) <= 200)
      and (x.error_message is null or octet_length(x.error_message) <= 1048576)
      and (pg_column_size(x.value -> 'output_data') <= 131072 or octet_length((x.value -> 'output_data')::text) <= 1048576) is not false
  );
end
$$;
