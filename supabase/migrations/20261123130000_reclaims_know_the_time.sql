-- One claim in sixteen takes back what dead workers hold before it looks for work, and again where it found too little. Where
-- the first of these took all the time a statement has, the second ended the next execution too, without having looked at it:
-- a workflow that takes seconds to go on cost its neighbour in the same project the run. Once the time is up nothing more is
-- taken back; the next claim does it.

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
      exit when private.fail_expired_task(v_task_id);
    end loop;
  end if;
end
$$;
