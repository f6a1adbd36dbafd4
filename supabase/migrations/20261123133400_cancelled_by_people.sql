-- A statement that is cancelled because its time is up and one that somebody cancels (Ctrl-C, pg_cancel_backend) end with the
-- same code. Whoever cancelled a claim while it took back the task of a dead worker, or the deletion of a workflow, ended an
-- execution by it, as one that "took longer than a statement may", and the statement went on. In the first half of its time it
-- was somebody, and nothing is kept of it. Where there is no limit, cancelling stays the one way to end what hangs.
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
      perform private.fail_with_execution(p_task, p_message, p_data);
      perform private.end_execution(p_task.workflow_execution_id, 'failed', v_reason, '{}', true);
      return '{}';
  end;
exception
  when sqlstate 'PT413' or program_limit_exceeded or query_canceled then
    if sqlstate = '57014' then
      -- The time was not up: somebody cancelled the statement, and wants it undone.
      if current_setting('statement_timeout') <> '0' and not private.is_late() then
        raise;
      end if;
      perform private.run_out_of_time();
    end if;
    perform private.break_off(p_task, p_message, p_data, case
      when sqlstate = '57014' then 'What follows in this workflow took longer than a statement may.'
      else 'What follows in this workflow is more than can be stored.'
    end);
    return '{}';
end
$$;
