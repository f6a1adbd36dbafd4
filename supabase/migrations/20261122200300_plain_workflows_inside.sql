-- The last report of a workflow inside another is the one that sets going what lies behind it out there, and may find that
-- this fails. It then begins again with the execution alone, and must be known to have it the second time.

drop function private.complete_plain(public.agent_tasks, jsonb);

-- The end of a plain execution with its last task, which has nothing open: both events in one statement.
create function private.complete_plain(p_task public.agent_tasks, p_data jsonb, p_alone boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.close_execution(p_task.workflow_execution_id, 'completed', null);
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values
    (p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.completed', p_data),
    (p_task.workflow_execution_id, p_task.project_id, null, 'execution.completed', '{}');
  perform private.tell_parent(p_task.workflow_execution_id, p_alone);
end
$$;

-- One report, under the locks that it needs: its execution, the project's files where it brings any, then rows. p_alone: it
-- has, or wants, the execution alone.
create or replace function private.report_task(
  p_progress private.execution_progress, p_task_id uuid, p_lease_token uuid, p_status text, p_output_data jsonb,
  p_error_message text, p_execution_time_ms integer, p_label text, p_artifacts jsonb, p_messages jsonb, p_alone boolean
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_digest bytea := sha256(uuid_send(p_lease_token));
  v_report_digest text := md5(jsonb_build_array(
    p_status, p_output_data, p_error_message, p_label, coalesce(p_artifacts, '[]'), coalesce(p_messages, '[]')
  )::text);
  v_task public.agent_tasks;
  v_outcome jsonb;
  v_moved jsonb := '{}';
begin
  perform private.enter_execution(p_progress.root_execution_id, p_alone);
  if private.brings_artifacts(p_artifacts) then
    perform private.lock_artifacts(array(select t.project_id from public.agent_tasks as t where t.id = p_task_id));
  end if;
  -- The last element of a map takes this lock when it knows that it is the last.
  if p_progress.mode <> 'plain' and not exists (
    select from public.agent_tasks as t where t.id = p_task_id and t.map_index is not null
  ) then
    perform private.enter_graph(p_progress.root_execution_id);
  end if;

  update public.agent_tasks as t
  set
    status = case when p_status = 'completed' then 'completed' when t.attempt < t.max_attempts then 'pending' else 'failed' end,
    output_data = case when p_status = 'completed' then p_output_data end,
    error_message = p_error_message,
    label = case when p_status = 'completed' then p_label end,
    execution_time_ms = p_execution_time_ms,
    completed_at = case when p_status = 'completed' or t.attempt >= t.max_attempts then now() end,
    lease_expires_at = null,
    report_digest = v_report_digest
  where t.id = p_task_id and case when t.status = 'running' then t.lease_digest = v_digest end
  returning t.* into v_task;
  if v_task.id is null then
    return private.answer_repeated_report(p_task_id, v_digest, v_report_digest);
  end if;

  if p_status = 'completed' then
    if p_artifacts is not null or p_messages is not null then
      perform private.save_task_results(v_task, p_artifacts, p_messages);
    end if;
    if p_progress.mode = 'plain' and v_task.map_index is null then
      v_outcome := private.advance_plain(v_task);
    else
      perform private.require_label(v_task);
      v_outcome := case
        when v_task.map_index is not null then private.finish_element(v_task, p_alone)
        else private.settle(v_task.workflow_execution_id, array[v_task.id], '{}', false, p_alone)
      end;
    end if;
    if p_progress.mode = 'plain' and v_outcome ->> 'end' is not null then
      perform private.complete_plain(v_task, jsonb_build_object('attempt', v_task.attempt), p_alone);
    else
      v_moved := private.record_step(v_task, 'task.completed', jsonb_build_object('attempt', v_task.attempt), v_outcome, p_alone);
    end if;
  else
    if v_task.status = 'pending' then
      v_task := private.retry_task(v_task);
    else
      v_moved := private.give_up_or_end(v_task, p_error_message, jsonb_build_object('attempt', v_task.attempt));
      select t.* into v_task from public.agent_tasks as t where t.id = p_task_id;
    end if;
    perform private.save_task_results(v_task, p_artifacts, p_messages);
  end if;
  return private.report_answer(v_task, v_moved);
end
$$;
