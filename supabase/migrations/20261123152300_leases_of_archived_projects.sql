-- Whoever worked on a task while its project was archived could not keep the lease, and anybody's next claim took it back: on
-- the last attempt that ended the execution, in a project in which nothing is to change. The task is pending again, and the
-- attempt does not count.

-- Up to c_max_tasks tasks whose lease ran out, in fair parts for their projects: those of p_projects; or (null) those of the
-- leases that ran out first, p_first, and others that are looked for behind a random id, as one person's must not hide them.
-- The orders by project say which index is read: for few leases of a project the planner may read all that there are. In a
-- project at rest no attempt is the last.
create or replace function private.expired_tasks(p_projects uuid[], p_first uuid)
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
create or replace function private.return_expired_tasks(p_ids uuid[])
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
