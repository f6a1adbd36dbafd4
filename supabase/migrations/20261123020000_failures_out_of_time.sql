-- Deleting a workflow ends what each of its executions ran inside of, one after the other, and the conditions of the second
-- had no limit any more where those of the first took all the time there was. Once a statement is out of time nothing
-- more is evaluated in it: what still fails there is broken off at once.
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
  if private.is_out_of_time() then
    perform private.break_off(
      p_task, p_message, p_data, 'What follows in this workflow took longer than a statement may.'
    );
    return '{}';
  end if;
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
