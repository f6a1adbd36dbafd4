-- The rules of executions in one function, as those of tasks are: a CHECK is read from its stored text by every statement
-- that writes the table, and an execution has four of them. Events are only ever written by the engine, which names them
-- by constants: there the rule is gone. Rows leave room for the one update that nearly every execution gets, its end.

create function private.is_legal_execution(p_execution public.workflow_executions)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_rule text;
begin
  v_rule := case
    when p_execution.status not in ('pending', 'running', 'completed', 'failed', 'cancelled') then 'workflow_executions_status_is_known'
    when (p_execution.status in ('completed', 'failed', 'cancelled')) <> (p_execution.completed_at is not null)
      then 'workflow_executions_ended_has_a_time'
    when char_length(p_execution.idempotency_key) not between 1 and 255 then 'workflow_executions_idempotency_key_is_short'
    when jsonb_typeof(p_execution.input) <> 'object' then 'workflow_executions_input_is_an_object'
  end;
  if v_rule is not null then
    raise exception using
      errcode = '23514', constraint = v_rule, table = 'workflow_executions',
      message = format('An execution in the status %s breaks the rule %s.', p_execution.status, v_rule);
  end if;
  return true;
end
$$;

alter table public.workflow_executions
  drop constraint workflow_executions_status_is_known,
  drop constraint workflow_executions_ended_has_a_time,
  drop constraint workflow_executions_idempotency_key_is_short,
  drop constraint workflow_executions_input_is_an_object,
  add constraint workflow_executions_is_legal check (private.is_legal_execution(workflow_executions));
alter table public.workflow_executions set (fillfactor = 75);

alter table public.execution_events drop constraint execution_events_type_is_a_name;
