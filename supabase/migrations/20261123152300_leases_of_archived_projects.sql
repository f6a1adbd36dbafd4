-- Whoever worked on a task while its project was archived could not keep the lease, and anybody's next claim took it back: on
-- the last attempt that ended the execution, in a project in which nothing is to change. No attempt is the last there
-- (private.expired_tasks, private.return_expired_tasks): the task is pending again, and the attempt does not count.

-- Fails a task whose last lease ran out. False where somebody is busy in its execution, who may be reporting this very
-- task, and null where that came to light by waiting, as for somebody who is claiming a task of it: the next claim looks again.
create or replace function private.fail_expired_task(p_task_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_root uuid;
  v_task public.agent_tasks;
begin
  select p.root_execution_id into v_root
  from public.agent_tasks as t
  join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
  where t.id = p_task_id;
  if not pg_try_advisory_xact_lock(uuid_hash_extended(v_root, 1)) then
    return false;
  end if;
  select t.* into v_task from public.agent_tasks as t
  where t.id = p_task_id and t.status = 'running' and t.lease_expires_at < now()
    and (select o.status from public.projects as o where o.id = t.project_id) = 'active'
  for no key update skip locked;
  if v_task.id is null then
    return false;
  end if;
  perform private.give_up_or_end(
    v_task, format('The lease of worker %s expired on attempt %s of %s.', v_task.worker_id, v_task.attempt, v_task.max_attempts),
    '{"reason": "lease_expired"}'
  );
  return true;
exception
  when lock_not_available then
    return null;
end
$$;

-- The same when the project is active again, for what no claim has taken back meanwhile: before its row says so.
create function private.return_leases_of_project()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- Some hundreds at a time; what somebody else is just taking back is passed by.
  c_max_times constant integer := 1000;
  v_ids uuid[];
begin
  for v_times in 1 .. c_max_times loop
    v_ids := array(select e.id from private.expired_tasks(array[new.id], new.id) as e);
    exit when v_ids = '{}';
    perform private.return_expired_tasks(v_ids);
  end loop;
  return new;
end
$$;

revoke execute on function private.return_leases_of_project() from public, anon, authenticated, service_role;

create trigger projects_return_leases before update of status on public.projects
for each row when (old.status <> 'active' and new.status = 'active')
execute function private.return_leases_of_project();
