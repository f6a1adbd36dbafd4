-- A claim looks at few leases, however many there are. Two of its questions were answered by reading all of them:
-- How many tasks of a project are at work, which is asked of each project with a limit. Whoever leased 100,000 tasks of their
-- own, which takes half a minute, and set fifty projects aside (a limit of 0) had every claim that names no project take 3 s and
-- bring nothing, for as long as their leases last.
-- Which leases have run out. With 100,000 of a last attempt in one person's project every claim that found too little to do took
-- a second, and with a million longer than a statement may, so that nothing was taken back any more and no claim came to its end.

-- What one project has at work, and the first of its leases that runs out.
create index agent_tasks_leased_by_project on public.agent_tasks (project_id, lease_expires_at, workflow_execution_id)
where status = 'running';
-- Of all projects only the first are asked for: without more columns, those of one claim are one entry.
drop index public.agent_tasks_leased;
create index agent_tasks_leased on public.agent_tasks (lease_expires_at) where status = 'running';

-- Up to c_max_tasks tasks whose lease ran out, in fair parts for their projects: those of p_projects; or (null) those of the
-- leases that ran out first, p_first, and others that are looked for behind a random id, as one person's must not hide them.
-- The orders by project say which index is read: for few leases of a project the planner may read all that there are. In a
-- project at rest no attempt is the last.
create function private.expired_tasks(p_projects uuid[], p_first uuid)
returns table (id uuid, project_id uuid, lease_expires_at timestamptz, is_last_attempt boolean)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_projects constant integer := 100;
  c_max_steps constant integer := 200;
  c_max_tasks constant integer := 300;
  v_projects uuid[];
  v_found uuid[] := '{}';
  v_place uuid := gen_random_uuid();
  v_next record;
begin
  if p_projects is not null then
    v_projects := array(
      select p.id
      from unnest(p_projects) as p (id)
      cross join lateral (
        select t.lease_expires_at from public.agent_tasks as t
        where t.status = 'running' and t.project_id between p.id and p.id
        order by t.project_id, t.lease_expires_at
        limit 1
      ) as f
      where f.lease_expires_at < now()
      order by (p.id = p_first) is true desc, random()
      limit c_max_projects
    );
  else
    v_projects := array(
      select t.project_id from public.agent_tasks as t
      where t.status = 'running' and t.lease_expires_at < now()
      order by t.lease_expires_at
      limit c_max_projects
    );
    -- Otherwise these are all.
    if cardinality(v_projects) = c_max_projects then
      for v_step in 1 .. c_max_steps loop
        select t.project_id, t.lease_expires_at into v_next
        from public.agent_tasks as t
        where t.status = 'running' and t.project_id > v_place
        order by t.project_id, t.lease_expires_at
        limit 1;
        v_place := coalesce(v_next.project_id, '00000000-0000-0000-0000-000000000000');
        if v_next.lease_expires_at < now() then
          exit when v_place = any (v_found) or cardinality(v_found) = c_max_projects;
          v_found := v_found || v_place;
        end if;
      end loop;
      v_projects := v_projects || p_first || v_found;
    end if;
    v_projects := array(select distinct p.id from unnest(v_projects) as p (id) where p.id is not null);
  end if;

  return query
  select e.id, p.id, e.lease_expires_at, e.attempt >= e.max_attempts and o.status = 'active'
  from unnest(v_projects) as p (id)
  join public.projects as o on o.id = p.id
  cross join lateral (
    select t.id, t.lease_expires_at, t.attempt, t.max_attempts from public.agent_tasks as t
    where t.status = 'running' and t.project_id between p.id and p.id and t.lease_expires_at < now()
    order by t.project_id, t.lease_expires_at
    limit greatest(c_max_tasks / nullif(cardinality(v_projects), 0), 1)
  ) as e;
end
$$;

-- Of these tasks, those with attempts left are pending again. Of a project at rest all are, and the attempt is given back: no
-- worker could have kept it.
drop function private.return_expired_tasks(uuid[]);
create function private.return_expired_tasks(p_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  with expired as (
    select t.id, t.attempt, o.status <> 'active' as is_at_rest
    from public.agent_tasks as t
    join public.projects as o on o.id = t.project_id
    where t.id = any (p_ids) and t.status = 'running' and t.lease_expires_at < now()
      and (t.attempt < t.max_attempts or o.status <> 'active')
    for no key update of t skip locked
  ), returned as (
    update public.agent_tasks as t
    set status = 'pending', attempt = e.attempt - e.is_at_rest::integer, available_at = t.lease_expires_at, lease_expires_at = null,
      lease_digest = null
    from expired as e
    where t.id = e.id
    returning t.workflow_execution_id, t.project_id, t.id, t.worker_id, e.attempt
  )
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  select r.workflow_execution_id, r.project_id, r.id, 'task.expired', jsonb_build_object('attempt', r.attempt, 'worker_id', r.worker_id)
  from returned as r;
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
  c_max_waits constant integer := 5;
  v_is_person boolean := auth.uid() is not null and not private.is_worker();
  v_projects uuid[];
  v_to_return uuid[];
  v_to_fail uuid[];
  v_task public.agent_tasks;
  v_task_id uuid;
  v_failed integer := 0;
  v_is_failed boolean;
  v_left_over uuid[] := '{}';
  v_waited_for uuid[] := '{}';
begin
  if private.is_out_of_time() then
    return;
  end if;
  if v_is_person then
    v_projects := array(select private.project_ids('editor'));
  end if;
  select
    array_agg(x.id order by x.is_named desc, x.place, random()) filter (where not x.is_last_attempt),
    array_agg(x.id order by x.is_named desc, x.place, random()) filter (where x.is_last_attempt)
  into v_to_return, v_to_fail
  from (
    select e.id, e.is_last_attempt, (e.project_id = p_project_id) is true as is_named,
      row_number() over (partition by e.project_id, e.is_last_attempt order by e.lease_expires_at) as place
    from private.expired_tasks(v_projects, p_project_id) as e
  ) as x;
  perform private.return_expired_tasks(v_to_return[:c_max_looked_at]);
  for v_task in
    select t.*
    from unnest(v_to_fail[:c_max_looked_at]) with ordinality as e (id, place)
    join public.agent_tasks as t on t.id = e.id
    order by e.place
  loop
    exit when private.is_late();
    continue when v_task.workflow_execution_id = any (v_waited_for);
    if private.asks_expressions(v_task) and not (p_may_ask and v_task.project_id is not distinct from p_project_id) then
      v_left_over := array_append(v_left_over, v_task.id);
      continue;
    end if;
    v_is_failed := private.fail_expired_task(v_task.id);
    if v_is_failed then
      v_failed := v_failed + 1;
    elsif v_is_failed is null then
      v_waited_for := array_append(v_waited_for, v_task.workflow_execution_id);
    end if;
    if private.is_out_of_time() or v_failed >= c_max_failed or cardinality(v_waited_for) >= c_max_waits then
      return;
    end if;
  end loop;

  -- One worker at a time is held up by this, however many there are; persons' claims answer for their own projects.
  if p_may_ask and p_project_id is null and v_left_over <> '{}'
    and (v_is_person or pg_try_advisory_xact_lock(private.lock_key('expired tasks of all projects')))
  then
    foreach v_task_id in array v_left_over loop
      exit when private.is_late() or private.fail_expired_task(v_task_id) is not false;
    end loop;
  end if;
end
$$;

-- The sweep, which nobody waits for.
create or replace function private.reclaim_tasks()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_to_return uuid[];
  v_to_fail uuid[];
  v_task_id uuid;
begin
  select
    array_agg(x.id order by x.place) filter (where not x.is_last_attempt),
    array_agg(x.id order by x.place) filter (where x.is_last_attempt)
  into v_to_return, v_to_fail
  from (
    select e.id, e.is_last_attempt, row_number() over (partition by e.project_id, e.is_last_attempt order by e.lease_expires_at) as place
    from private.expired_tasks(null, null) as e
  ) as x;
  perform private.return_expired_tasks(v_to_return[:100]);
  for v_task_id in
    select e.id from unnest(v_to_fail[:20]) as e (id)
  loop
    exit when private.is_out_of_time() or private.is_late();
    perform private.fail_expired_task(v_task_id);
  end loop;
end
$$;

-- What a project with limits has room for, and which of its executions are full. Nobody else may claim there meanwhile.
create or replace function private.claim_room(
  p_project_id uuid, p_limit integer, p_waits boolean, out v_room integer, out v_full uuid[]
)
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if p_waits then
    perform pg_advisory_xact_lock(uuid_hash_extended(p_project_id, 3));
  elsif not pg_try_advisory_xact_lock(uuid_hash_extended(p_project_id, 3)) then
    v_room := 0;
    return;
  end if;
  with running as materialized (
    select x.id, count(*) as tasks
    from (
      select t.workflow_execution_id as id
      from public.agent_tasks as t
      where t.status = 'running' and t.project_id between p_project_id and p_project_id
      order by t.project_id, t.lease_expires_at
      -- Where there are as many there is no room, whosever they are.
      limit p_limit
    ) as x
    group by x.id
  )
  select p_limit - coalesce(sum(r.tasks), 0), coalesce(array_agg(r.id) filter (where l.concurrency_limit <= r.tasks), '{}')
  into v_room, v_full
  from running as r
  left join private.limited_executions as l on l.workflow_execution_id = r.id;
end
$$;
