-- What failed an execution has its attempts anew when that is retried, but the waits between them went on doubling where they
-- had been: with five attempts ten seconds apart, the first failure after the third retry waited for most of a day. The waits
-- begin anew with the attempts.

-- A failed attempt with attempts left: exponential, capped at a day, with up to half of it taken off at random so that
-- failures do not march in step.
create or replace function private.retry_task(p_task public.agent_tasks)
returns public.agent_tasks
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_node record;
  v_attempt integer;
  v_task public.agent_tasks;
begin
  select n.backoff_seconds, n.max_attempts into v_node
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  -- A retry adds to what the task may have: its attempts are those of the node, counted from there.
  v_attempt := p_task.attempt - (p_task.max_attempts - v_node.max_attempts);
  update public.agent_tasks as t
  set status = 'pending', available_at = now() + make_interval(
    secs => least(86400, v_node.backoff_seconds * 2 ^ least(greatest(v_attempt, 1) - 1, 20)) * (1 - random() / 2)
  )
  where t.id = p_task.id
  returning t.* into v_task;
  perform private.add_event(
    v_task.workflow_execution_id, v_task.project_id, v_task.id, 'task.retry',
    jsonb_build_object('attempt', v_task.attempt, 'available_at', v_task.available_at)
  );
  return v_task;
end
$$;
