-- Taking back what dead workers hold is work that the graph behind it decides how long it takes. A person's claim does it
-- in projects where that person may edit, so that nobody's data costs a stranger's claim; workers and schedulers see to
-- all. It leaves off where one of them took all the time there was: the next claim goes on.
create or replace function private.reclaim_tasks()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_projects uuid[];
  v_task public.agent_tasks;
  v_progress private.execution_progress;
begin
  if auth.uid() is not null and not private.is_worker() then
    v_projects := array(select private.project_ids('editor'));
  end if;
  with expired as (
    select t.id from public.agent_tasks as t
    where t.status = 'running' and t.lease_expires_at < now() and t.attempt < t.max_attempts
      and (v_projects is null or t.project_id = any (v_projects))
    order by t.lease_expires_at
    limit 100
    for no key update skip locked
  ), returned as (
    update public.agent_tasks as t set status = 'pending', available_at = t.lease_expires_at, lease_expires_at = null, lease_digest = null
    from expired as e
    where t.id = e.id
    returning t.workflow_execution_id, t.project_id, t.id, t.worker_id, t.attempt
  )
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  select r.workflow_execution_id, r.project_id, r.id, 'task.expired', jsonb_build_object('attempt', r.attempt, 'worker_id', r.worker_id)
  from returned as r;

  for v_task in
    select t.* from public.agent_tasks as t
    where t.status = 'running' and t.lease_expires_at < now() and t.attempt >= t.max_attempts
      and (v_projects is null or t.project_id = any (v_projects))
    order by t.lease_expires_at
    limit 20
  loop
    select p.* into v_progress
    from private.execution_progress as p where p.workflow_execution_id = v_task.workflow_execution_id;
    -- Whoever is busy in the execution may be reporting this very task: the next claim looks again.
    continue when not pg_try_advisory_xact_lock(uuid_hash_extended(v_progress.root_execution_id, 1));
    select t.* into v_task from public.agent_tasks as t
    where t.id = v_task.id and t.status = 'running' and t.lease_expires_at < now()
    for no key update skip locked;
    continue when v_task.id is null;
    perform private.give_up_or_end(
      v_task, format('The lease of worker %s expired on attempt %s of %s.', v_task.worker_id, v_task.attempt, v_task.max_attempts),
      '{"reason": "lease_expired"}'
    );
    exit when private.is_out_of_time();
  end loop;
end
$$;
