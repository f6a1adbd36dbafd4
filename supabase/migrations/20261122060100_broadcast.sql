-- What happens in an execution is told live, from its log: every change of state writes an event, so the events are what
-- is broadcast. One message per statement and topic, with ids, states and the reader's cursor; never inputs or outputs.
-- A message only wakes its reader, who refetches from the cursor: Realtime may lose one, the log does not.

-- Sends on a private topic. realtime.send turns a failure into a warning, so that no broadcast can fail the change it
-- tells of; without Realtime in the database there is nobody to tell. What Realtime might refuse for its size says that
-- there is more than it lists, which the listener reads from the tables anyway.
create function private.broadcast(p_topic text, p_event text, p_payload jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_payload jsonb := p_payload;
begin
  if to_regnamespace('realtime') is null then
    return;
  end if;
  if pg_column_size(p_payload) > 131072 then
    select jsonb_object_agg(e.key, e.value) into v_payload
    from jsonb_each(p_payload || '{"truncated": true}') as e
    where jsonb_typeof(e.value) <> 'array';
  end if;
  perform realtime.send(v_payload, p_event, p_topic, true);
end
$$;

-- On execution:<id> every event, with the tasks it moved by the state they are in now; on project:<id> only those of the
-- execution as a whole.
create function private.broadcast_events()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_events record;
  v_has_whole boolean := false;
begin
  -- A type says all of its subject's status, so that a completion does not pay for a look at the tables.
  for v_events in
    select
      e.workflow_execution_id, min(e.transaction_id) as transaction_id, bool_or(e.task_id is null) as has_whole,
      json_agg(
        json_build_object(
          'id', e.id, 'type', e.type, 'task_id', e.task_id, 'attempt', e.data -> 'attempt',
          'moved', jsonb_strip_nulls(jsonb_build_object(
            'blocked', e.data -> 'blocked', 'pending', e.data -> 'pending', 'waiting', e.data -> 'waiting',
            'completed', e.data -> 'completed', 'failed', e.data -> 'failed', 'skipped', e.data -> 'skipped',
            'cancelled', e.data -> 'cancelled'
          ))
        ) order by e.id
      )::jsonb as events
    from new_rows as e
    group by e.workflow_execution_id
  loop
    perform private.broadcast(
      'execution:' || v_events.workflow_execution_id, 'events',
      jsonb_build_object('transaction_id', v_events.transaction_id, 'events', v_events.events)
    );
    v_has_whole := v_has_whole or v_events.has_whole;
  end loop;

  if v_has_whole then
    perform private.broadcast(
      'project:' || e.project_id, 'executions',
      jsonb_build_object('executions', jsonb_agg(
        jsonb_build_object('id', x.id, 'workflow_id', x.workflow_id, 'type', e.type, 'status', x.status) order by e.id
      ))
    )
    from new_rows as e
    join public.workflow_executions as x on x.id = e.workflow_execution_id
    where e.task_id is null
    group by e.project_id;
  end if;
  return null;
end
$$;
create trigger execution_events_broadcast after insert on public.execution_events
referencing new table as new_rows for each statement execute function private.broadcast_events();
