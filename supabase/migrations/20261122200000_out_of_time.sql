-- A statement is cancelled once for its time: what goes on after that was caught has no limit any more. So it is
-- remembered for the statement, and whatever would have gone on with the next task leaves off.

create function private.run_out_of_time()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('genesis.out_of_time', statement_timestamp()::text, true);
end
$$;

create function private.is_out_of_time()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(current_setting('genesis.out_of_time', true) = statement_timestamp()::text, false);
end
$$;

create or replace function private.give_up_or_end(p_task public.agent_tasks, p_message text, p_data jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_reason text;
begin
  begin
    return private.give_up(p_task, p_message, p_data, true);
  exception
    when sqlstate 'PT413' then
      get stacked diagnostics v_reason = message_text;
      update public.agent_tasks as t
      set status = 'failed', completed_at = now(), lease_expires_at = null, error_message = p_message, remaining = 0
      where t.id = p_task.id;
      perform private.add_event(p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.failed', p_data);
      perform private.end_execution(p_task.workflow_execution_id, 'failed', v_reason, '{}', true);
      return '{}';
  end;
exception
  when sqlstate 'PT413' or program_limit_exceeded or query_canceled then
    if sqlstate = '57014' then
      perform private.run_out_of_time();
    end if;
    perform private.break_off(p_task, p_message, p_data, case
      when sqlstate = '57014' then 'What follows in this workflow took longer than a statement may.'
      else 'What follows in this workflow is more than can be stored.'
    end);
    return '{}';
end
$$;

-- What a failed report brought along is saved after its execution was broken off. Refused there, the report is undone with
-- all that was remembered: the statement is still out of time, and says so.
alter function private.save_task_results(public.agent_tasks, jsonb, jsonb) rename to write_task_results;
create function private.save_task_results(p_task public.agent_tasks, p_artifacts jsonb, p_messages jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not private.is_out_of_time() then
    perform private.write_task_results(p_task, p_artifacts, p_messages);
    return;
  end if;
  begin
    perform private.write_task_results(p_task, p_artifacts, p_messages);
  exception
    when others then
      raise exception using errcode = 'query_canceled', message = sqlerrm;
  end;
end
$$;
