-- Where a task had failed that its node passes over, and what follows could not be worked out (an input too large, a
-- condition without end), the execution failed with it. A retry took the task for one that had been passed over, and left
-- the execution running for ever with nothing to do in it. Which task ended an execution so is written down, and that one is
-- tried again.
alter table private.execution_progress add column ended_by uuid;

create function private.fail_with_execution(p_task public.agent_tasks, p_message text, p_data jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.agent_tasks as t
  set status = 'failed', completed_at = now(), lease_expires_at = null, error_message = p_message, remaining = 0
  where t.id = p_task.id;
  update private.execution_progress as p set ended_by = p_task.id where p.workflow_execution_id = p_task.workflow_execution_id;
  perform private.add_event(p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.failed', p_data);
end
$$;
revoke execute on function private.fail_with_execution(public.agent_tasks, text, jsonb) from public, anon, authenticated, service_role;

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
      perform private.run_out_of_time();
    end if;
    perform private.break_off(p_task, p_message, p_data, case
      when sqlstate = '57014' then 'What follows in this workflow took longer than a statement may.'
      else 'What follows in this workflow is more than can be stored.'
    end);
    return '{}';
end
$$;

create or replace function private.break_off(p_task public.agent_tasks, p_message text, p_data jsonb, p_reason text)
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
  perform private.fail_with_execution(p_task, p_message, p_data);
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

create or replace function private.reopen_tasks(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_moved jsonb;
begin
  with latest as (
    -- Older turns of a loop are history, and so are their elements.
    select t.*, n.on_failure, n.max_attempts as budget
    from public.agent_tasks as t
    join private.workflow_nodes as n on n.version_id = t.version_id and n.node_index = t.node_index
    join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
    where t.workflow_execution_id = p_execution_id
      and (t.status = 'cancelled' or t.status = 'failed' and (n.on_failure = 'fail' or t.id = p.ended_by))
      and t.iteration = (
        select c.iteration from public.agent_tasks as c
        where c.workflow_execution_id = p_execution_id and c.node_index = t.node_index and c.map_index is null
        order by c.iteration desc
        limit 1
      )
    order by t.node_index, t.iteration, t.map_index
    for no key update of t
  ), reopened as (
    update public.agent_tasks as t
    set
      status = case
        when l.map_index is not null then 'pending'
        when l.node_type = 'agent' and l.remaining = 0 then 'pending'
        when l.node_type = 'approval' and l.remaining = 0 then 'waiting'
        when l.node_type = 'map' and exists (
          select from public.agent_tasks as e
          where e.workflow_execution_id = p_execution_id and e.node_index = l.node_index and e.iteration = l.iteration
            and e.map_index is not null
        ) then 'waiting'
        when l.node_type = 'workflow' and exists (
          select from public.workflow_executions as x where x.parent_task_id = l.id and x.status in ('failed', 'cancelled')
        ) then 'waiting'
        else 'blocked'
      end,
      completed_at = null, error_message = null, lease_digest = null, report_digest = null, available_at = now(),
      -- Whoever was at work when it was cancelled did not fail: that attempt does not count.
      attempt = case when l.status = 'cancelled' and l.lease_digest is not null and l.report_digest is null then l.attempt - 1 else l.attempt end,
      max_attempts = case when l.status = 'failed' then l.attempt + l.budget else l.max_attempts end
    from latest as l
    where t.id = l.id
    returning t.id, t.status
  )
  select coalesce(json_object_agg(r.status, r.ids), '{}')::jsonb into v_moved
  from (select r.status, json_agg(r.id) as ids from reopened as r group by r.status) as r;
  update private.execution_progress as p set ended_by = null
  where p.workflow_execution_id = p_execution_id and p.ended_by is not null;
  return v_moved;
end
$$;
