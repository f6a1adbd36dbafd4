-- Tasks that failed for good: what their node's on_failure makes of it, and what is done where even that cannot be.

-- A task has failed for good: the execution fails, or goes on as its node's on_failure says. Answers the moved tasks.
create function private.give_up(p_task public.agent_tasks, p_message text, p_data jsonb, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_on_failure text := private.close_failed(p_task, p_message);
  v_task public.agent_tasks := p_task;
  v_outcome jsonb;
begin
  if v_on_failure = 'fail' then
    perform private.require_alone(p_alone);
    v_outcome := jsonb_build_object(
      'moved', '{}'::jsonb, 'end', 'failed', 'error',
      format('Task %s failed: %s', p_task.node_id, left(coalesce(p_message, 'no reason given'), 500))
    );
  elsif p_task.map_index is not null then
    v_outcome := private.finish_element(p_task, p_alone);
  else
    v_outcome := private.settle(p_task.workflow_execution_id, array[p_task.id], '{}', false, p_alone);
  end if;
  return private.record_step(
    v_task, case when v_on_failure = 'skip' then 'task.skipped' else 'task.failed' end, p_data, v_outcome, p_alone
  );
end
$$;

-- The same where nobody is there to be refused (a dead worker's task, or a failure that cannot be anything else): what
-- cannot go on, as an input behind it would be too large, ends the execution. What cannot even end (a condition that
-- takes longer than a statement may, more data than a value can hold, the same fault in what it runs inside of) is broken
-- off: reclaiming happens in anybody's claim, and one execution must not stop the claims of all.
create function private.give_up_or_end(p_task public.agent_tasks, p_message text, p_data jsonb)
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
    perform private.break_off(p_task, p_message, p_data, case
      when sqlstate = '57014' then 'What follows in this workflow took longer than a statement may.'
      else 'What follows in this workflow is more than can be stored.'
    end);
    return '{}';
end
$$;

-- Ends an execution with all that it runs inside of and that runs inside it, without reading any of their data: no
-- condition, no input, no fold. The state stays what was put in.
create function private.break_off(p_task public.agent_tasks, p_message text, p_data jsonb, p_reason text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_root uuid;
  v_tree uuid[];
begin
  select p.root_execution_id into v_root
  from private.execution_progress as p where p.workflow_execution_id = p_task.workflow_execution_id;
  v_tree := array(
    with recursive tree as (
      select v_root as id
      union
      select x.id
      from tree as r
      join public.agent_tasks as t on t.workflow_execution_id = r.id and t.node_type = 'workflow'
      join public.workflow_executions as x on x.parent_task_id = t.id
    )
    select r.id from tree as r
  );
  update public.agent_tasks as t
  set status = 'failed', completed_at = now(), lease_expires_at = null, error_message = p_message, remaining = 0
  where t.id = p_task.id;
  perform private.add_event(p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.failed', p_data);
  with cancelled as (
    update public.agent_tasks as t set status = 'cancelled', completed_at = now(), lease_expires_at = null
    where t.workflow_execution_id = any (v_tree) and t.status in ('blocked', 'pending', 'running', 'waiting')
    returning t.id, t.workflow_execution_id
  ), ended as (
    update public.workflow_executions as x
    set status = 'failed', completed_at = now(), error_message = p_reason, state = x.input
    where x.id = any (v_tree) and x.status in ('pending', 'running')
    returning x.id, x.project_id
  )
  insert into public.execution_events (workflow_execution_id, project_id, type, data)
  select e.id, e.project_id, 'execution.failed',
    jsonb_build_object('error', p_reason) || private.moved('cancelled', (
      select array_agg(c.id) from cancelled as c where c.workflow_execution_id = e.id
    ))
  from ended as e;
  delete from private.limited_executions as l where l.workflow_execution_id = any (v_tree);
end
$$;

-- Closes the row of a task that failed for good, and answers the node's on_failure.
create function private.close_failed(p_task public.agent_tasks, p_message text)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_on_failure text;
begin
  select n.on_failure into v_on_failure
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  update public.agent_tasks as t
  set status = case when v_on_failure = 'skip' then 'skipped' else 'failed' end, completed_at = now(), lease_expires_at = null,
    error_message = p_message, remaining = 0
  where t.id = p_task.id;
  return v_on_failure;
end
$$;
