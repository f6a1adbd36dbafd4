-- A statement that writes no event fires its trigger nonetheless, and so does nearly every claim that looks for dead workers'
-- tasks: a message without a topic was tried each time, failed, and was on the log as lost messages that never were.

create or replace function private.broadcast_events()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_event record;
  v_moved jsonb;
  v_executions uuid[];
  v_events jsonb[];
  v_projects uuid[];
  v_wholes jsonb[];
  v_payload jsonb;
begin
  -- A type says all of its subject's status, so that a completion does not pay for a look at the tables.
  for v_event in
    select e.id, e.workflow_execution_id, e.project_id, e.transaction_id, e.type, e.task_id, e.data from new_rows as e
  loop
    v_moved := '{}';
    if v_event.data ?| '{blocked,pending,waiting,completed,failed,skipped,cancelled}' then
      v_moved := jsonb_strip_nulls(jsonb_build_object(
        'blocked', v_event.data -> 'blocked', 'pending', v_event.data -> 'pending',
        'waiting', v_event.data -> 'waiting', 'completed', v_event.data -> 'completed',
        'failed', v_event.data -> 'failed', 'skipped', v_event.data -> 'skipped',
        'cancelled', v_event.data -> 'cancelled'
      ));
    end if;
    v_executions := v_executions || v_event.workflow_execution_id;
    v_events := v_events || jsonb_build_object(
      'id', v_event.id, 'type', v_event.type, 'task_id', v_event.task_id, 'attempt', v_event.data -> 'attempt',
      'moved', v_moved
    );
    if v_event.task_id is null then
      v_projects := v_projects || v_event.project_id;
      v_wholes := v_wholes || (
        select jsonb_build_object('id', x.id, 'workflow_id', x.workflow_id, 'type', v_event.type, 'status', x.status)
        from public.workflow_executions as x where x.id = v_event.workflow_execution_id
      );
    end if;
  end loop;
  -- A statement that found nothing to do fires the trigger, too.
  if v_executions is null then
    return null;
  end if;
  v_payload := jsonb_build_object('transaction_id', v_event.transaction_id, 'events', to_jsonb(v_events));

  if pg_column_size(v_payload) > 131072 then
    perform private.broadcast('execution:' || e.id, 'events', jsonb_build_object(
      'transaction_id', v_event.transaction_id, 'events', json_agg(e.told order by e.place)
    ))
    from unnest(v_executions, v_events) with ordinality as e (id, told, place)
    group by e.id;
    perform private.broadcast('project:' || e.id, 'executions', jsonb_build_object(
      'executions', json_agg(e.told order by e.place)
    ))
    from unnest(v_projects, v_wholes) with ordinality as e (id, told, place)
    group by e.id;
  elsif v_executions[1] <> any (v_executions) then
    insert into realtime.messages (topic, extension, event, private, payload)
    select
      'execution:' || e.id, 'broadcast', 'events', true,
      jsonb_build_object('transaction_id', v_event.transaction_id, 'events', json_agg(e.told order by e.place))
    from unnest(v_executions, v_events) with ordinality as e (id, told, place)
    group by e.id
    union all
    select 'project:' || e.id, 'broadcast', 'executions', true, jsonb_build_object('executions', json_agg(e.told order by e.place))
    from unnest(v_projects, v_wholes) with ordinality as e (id, told, place)
    group by e.id;
  elsif v_projects is null then
    insert into realtime.messages (topic, extension, event, private, payload)
    values ('execution:' || v_executions[1], 'broadcast', 'events', true, v_payload);
  else
    insert into realtime.messages (topic, extension, event, private, payload)
    values
      ('execution:' || v_executions[1], 'broadcast', 'events', true, v_payload),
      ('project:' || v_projects[1], 'broadcast', 'executions', true, jsonb_build_object('executions', v_wholes));
  end if;
  return null;
exception
  when others then
    if to_regnamespace('realtime') is not null then
      raise warning 'Messages about executions are lost: %', sqlerrm;
    end if;
    return null;
end
$$;
