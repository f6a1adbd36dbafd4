-- What a completion pays for being told live. Measured beside the same completions without the triggers, most of it went
-- to queries that gather and group what is nearly always one event of one execution, and to a savepoint and two calls per
-- message. Now what a statement tells is gathered without a query and written by one, as realtime.send would write it.

-- Sends on a private topic. No broadcast may fail the change it tells of: what cannot be written is lost with a warning,
-- as realtime.send has it, and without Realtime in the database there is nobody to tell. What Realtime might refuse for
-- its size says that there is more than it lists, which the listener reads from the tables anyway.
create or replace function private.broadcast(p_topic text, p_event text, p_payload jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_payload jsonb := p_payload;
begin
  if pg_column_size(p_payload) > 131072 then
    select jsonb_object_agg(e.key, e.value) into v_payload
    from jsonb_each(p_payload || '{"truncated": true}') as e
    where jsonb_typeof(e.value) <> 'array';
  end if;
  insert into realtime.messages (topic, extension, event, private, payload)
  values (p_topic, 'broadcast', p_event, true, v_payload);
exception
  when others then
    if to_regnamespace('realtime') is not null then
      raise warning 'A message to % is lost: %', p_topic, sqlerrm;
    end if;
end
$$;

-- On execution:<id> every event, with the tasks it moved by the state they are in now; on project:<id> only those of the
-- execution as a whole.
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
