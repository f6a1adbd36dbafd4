-- Answers tell the first 10,000 characters of why a task failed; its row has all of it. A report may bring a megabyte, which is
-- stored in twelve kilobytes where it repeats itself, and who asked for the state of an execution whose thousands of tasks had
-- failed so made the database put together gigabytes.

create or replace function private.task_json(p_task public.agent_tasks)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'id', p_task.id, 'execution_id', p_task.workflow_execution_id, 'node_id', p_task.node_id, 'node_type', p_task.node_type,
    'agent_type', p_task.agent_type, 'status', p_task.status, 'attempt', p_task.attempt,
    'max_attempts', p_task.max_attempts, 'iteration', p_task.iteration, 'map_index', p_task.map_index,
    'priority', p_task.priority, 'available_at', p_task.available_at, 'label', p_task.label,
    'error_message', left(p_task.error_message, 10000), 'execution_time_ms', p_task.execution_time_ms,
    'started_at', p_task.started_at, 'completed_at', p_task.completed_at
  );
end
$$;
