-- A claim that takes back what a dead worker held waits half a second for whoever has rows of that execution, and leaves it to
-- a later claim then, with all else there is to take back. It waited as long as they had them: as long as a project was being
-- deleted, or files were saved for an open task, any worker's claim, of whatever project, could stand still; once it had stood
-- for as long as a statement may it tried again, and then nothing ended it at all.

create or replace function private.fail_expired_task(p_task_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
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
  for no key update skip locked;
  if v_task.id is null then
    return false;
  end if;
  begin
    perform private.give_up_or_end(
      v_task, format('The lease of worker %s expired on attempt %s of %s.', v_task.worker_id, v_task.attempt, v_task.max_attempts),
      '{"reason": "lease_expired"}'
    );
  exception
    when lock_not_available then
      perform private.run_out_of_time();
      return false;
  end;
  return true;
end
$$;

-- What a claim takes back of dead workers: a person's where that person may edit, a worker's anywhere. p_may_ask: also what
-- may take long, all of the project that the claim names, or one task where it names none. Projects take turns here too.
create or replace function private.reclaim_tasks(p_project_id uuid, p_may_ask boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_looked_at constant integer := 100;
  c_max_failed constant integer := 20;
  v_is_person boolean := auth.uid() is not null and not private.is_worker();
  v_projects uuid[];
  v_task public.agent_tasks;
  v_task_id uuid;
  v_failed integer := 0;
  v_left_over uuid[] := '{}';
begin
  if private.is_out_of_time() then
    return;
  end if;
  if v_is_person then
    v_projects := array(select private.project_ids('editor'));
  end if;
  perform private.return_expired_tasks(v_projects);
  for v_task in
    select t.*
    from (
      select e.id, e.project_id, row_number() over (partition by e.project_id order by e.lease_expires_at) as place
      from public.agent_tasks as e
      where e.status = 'running' and e.lease_expires_at < now() and e.attempt >= e.max_attempts
        and (v_projects is null or e.project_id = any (v_projects))
      order by (e.project_id = p_project_id) is true desc, place, random()
      limit c_max_looked_at
    ) as e
    join public.agent_tasks as t on t.id = e.id
    order by (e.project_id = p_project_id) is true desc, e.place
  loop
    if private.asks_expressions(v_task) and not (p_may_ask and v_task.project_id is not distinct from p_project_id) then
      v_left_over := array_append(v_left_over, v_task.id);
    elsif private.fail_expired_task(v_task.id) then
      v_failed := v_failed + 1;
    end if;
    if private.is_out_of_time() or v_failed >= c_max_failed then
      return;
    end if;
  end loop;

  -- One worker at a time is held up by this, however many there are; persons' claims answer for their own projects.
  if p_may_ask and p_project_id is null and v_left_over <> '{}'
    and (v_is_person or pg_try_advisory_xact_lock(private.lock_key('expired tasks of all projects')))
  then
    foreach v_task_id in array v_left_over loop
      exit when private.fail_expired_task(v_task_id) or private.is_out_of_time();
    end loop;
  end if;
end
$$;
