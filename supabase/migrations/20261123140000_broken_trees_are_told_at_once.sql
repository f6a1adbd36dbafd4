-- Breaking off a tree of executions looked through all tasks that it cancelled once for each execution that it ended:
-- a start may make two thousand executions of fifty tasks inside one another, and to end them took half a minute, in
-- which nothing limits the statement any more. Now the tasks are put to their executions at once.

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
  ), told as (
    -- Without a join: how many these are is known to no plan.
    select b.id, (array_agg(b.project_id) filter (where b.task_id is null))[1] as project_id,
      array_agg(b.task_id) filter (where b.task_id is not null) as cancelled
    from (
      select e.id, e.project_id, null::uuid as task_id from ended as e
      union all
      select c.workflow_execution_id, null, c.id from cancelled as c
    ) as b
    group by b.id
    having bool_or(b.task_id is null)
  )
  insert into public.execution_events (workflow_execution_id, project_id, type, data)
  select o.id, o.project_id, 'execution.failed',
    jsonb_build_object('error', p_reason) || private.moved('cancelled', o.cancelled)
  from told as o;
  delete from private.limited_executions as l where l.workflow_execution_id = any (v_tree);
end
$$;
