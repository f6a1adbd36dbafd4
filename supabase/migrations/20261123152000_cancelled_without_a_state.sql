-- An execution whose outputs are together more than one value can hold (256 MiB), or take longer to fold than a statement may,
-- could not be cancelled: its end stores the fold. Whoever cancels wants it to end, and its outputs stay in its tasks: its state
-- stays its input then, as where an execution is broken off.

create or replace function private.close_execution(p_execution_id uuid, p_status text, p_error_message text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_is_folded boolean := false;
begin
  if p_status <> 'cancelled' then
    update public.workflow_executions as x
    set status = p_status, completed_at = now(), error_message = p_error_message, state = private.fold_state(p_execution_id)
    where x.id = p_execution_id;
  else
    -- Of several inside each other only the first may take all the time there is.
    if not private.is_out_of_time() then
      begin
        update public.workflow_executions as x
        set status = p_status, completed_at = now(), error_message = p_error_message, state = private.fold_state(p_execution_id)
        where x.id = p_execution_id;
        v_is_folded := true;
      exception
        when program_limit_exceeded or query_canceled then
          if sqlstate = '57014' then
            -- The time was not up: somebody cancelled the statement, and wants it undone. And what this runs inside of would
            -- go on without any limit.
            if (current_setting('statement_timeout') <> '0' and not private.is_late()) or exists (
              select from public.workflow_executions as x
              join public.agent_tasks as t on t.id = x.parent_task_id
              where x.id = p_execution_id and t.status = 'waiting'
            ) then
              raise;
            end if;
            perform private.run_out_of_time();
          end if;
      end;
    end if;
    if not v_is_folded then
      update public.workflow_executions as x
      set status = p_status, completed_at = now(), error_message = p_error_message, state = x.input
      where x.id = p_execution_id;
    end if;
  end if;
  if exists (
    select from private.execution_progress as p where p.workflow_execution_id = p_execution_id and p.concurrency_limit is not null
  ) then
    delete from private.limited_executions as l where l.workflow_execution_id = p_execution_id;
  end if;
end
$$;
