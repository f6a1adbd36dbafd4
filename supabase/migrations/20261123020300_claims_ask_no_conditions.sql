-- A task that failed for good with its worker goes on as its graph says, and its conditions may take all the time that a
-- statement has: twelve such tasks of one person cost every worker's claim eight seconds each. A claim that has something
-- to do evaluates nothing of others any more. What evaluates nothing is taken back by every claim, as before. The rest is
-- for claims that name the project, for pg_cron's sweep, and, so that nothing is stuck where there are none, for claims of
-- all projects that found nothing to do: one task each, and of workers one claim at a time.

-- May what follows from a task's final failure evaluate what its graph, or one that it runs inside of, brings along? What
-- fails with its execution does not; what goes on may come to conditions, inputs, maps and workflows inside.
create function private.asks_expressions(p_task public.agent_tasks)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    with recursive around as (
      select p_task.workflow_execution_id as execution_id, p_task.version_id, p_task.node_index, 0 as depth
      union all
      select t.workflow_execution_id, t.version_id, t.node_index, a.depth + 1
      from around as a
      join public.workflow_executions as x on x.id = a.execution_id
      join public.agent_tasks as t on t.id = x.parent_task_id
    ), going_on as (
      select min(a.depth) as depth
      from around as a
      join private.workflow_nodes as n on n.version_id = a.version_id and n.node_index = a.node_index
      where n.on_failure <> 'fail'
    )
    select exists (
      select from around as a
      join private.workflow_graphs as g on g.version_id = a.version_id
      where a.depth >= (select o.depth from going_on as o) and (
        g.has_predicates or exists (
          select from private.workflow_nodes as n
          where n.version_id = a.version_id and (n.input is not null or n.type in ('map', 'workflow'))
        )
      )
    )
  );
end
$$;

create function private.has_expired_tasks()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (select from public.agent_tasks as t where t.status = 'running' and t.lease_expires_at < now());
end
$$;

-- Tasks with attempts left are pending again; p_projects null: of all projects.
create function private.return_expired_tasks(p_projects uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  with expired as (
    select t.id from public.agent_tasks as t
    where t.status = 'running' and t.lease_expires_at < now() and t.attempt < t.max_attempts
      and (p_projects is null or t.project_id = any (p_projects))
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
end
$$;

-- Fails a task whose last lease ran out. False where somebody is busy in its execution, who may be reporting this very
-- task: the next claim looks again.
create function private.fail_expired_task(p_task_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
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
  perform private.give_up_or_end(
    v_task, format('The lease of worker %s expired on attempt %s of %s.', v_task.worker_id, v_task.attempt, v_task.max_attempts),
    '{"reason": "lease_expired"}'
  );
  return true;
end
$$;

-- What a claim takes back of dead workers: a person's where that person may edit, a worker's anywhere. p_may_ask: also what
-- may take long, all of the project that the claim names, or one task where it names none. Projects take turns here too.
create function private.reclaim_tasks(p_project_id uuid, p_may_ask boolean)
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

-- The sweep, which nobody waits for.
create or replace function private.reclaim_tasks()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task_id uuid;
begin
  perform private.return_expired_tasks(null);
  for v_task_id in
    select t.id from public.agent_tasks as t
    where t.status = 'running' and t.lease_expires_at < now() and t.attempt >= t.max_attempts
    order by t.lease_expires_at
    limit 20
  loop
    perform private.fail_expired_task(v_task_id);
    exit when private.is_out_of_time();
  end loop;
end
$$;

create or replace function private.claim_or_reclaim(
  p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer, p_project_id uuid, p_execution_id uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_project_id uuid;
  v_tasks jsonb;
begin
  if coalesce(char_length(p_worker_id), 0) not between 1 and 200 then
    perform private.refuse_field('worker_id', 'must have 1 to 200 characters');
  end if;
  if coalesce(cardinality(p_agent_types), 0) not between 1 and 100 then
    perform private.refuse_field('agent_types', 'must name 1 to 100 agent types');
  end if;
  if p_limit is null or p_limit not between 1 and 100 then
    perform private.refuse_field('limit', 'must be between 1 and 100');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 86400 then
    perform private.refuse_field('lease_seconds', 'must be between 1 and 86400');
  end if;
  if p_execution_id is not null then
    select x.project_id into v_project_id from public.workflow_executions as x where x.id = p_execution_id;
    if v_project_id is null or private.role_in_project(v_project_id) is null
      or v_project_id <> coalesce(p_project_id, v_project_id)
    then
      perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
    end if;
  end if;
  v_project_id := coalesce(v_project_id, p_project_id);
  if v_project_id is not null then
    perform private.ask_role(v_project_id, 'editor');
  end if;

  -- Nothing has to run in the background: who finds too little to do takes back what dead workers hold, and so does one
  -- busy claim in sixteen. Before any task is leased where that may take long, so that no lease is spent on it.
  if random() < 0.0625 and private.has_expired_tasks() then
    perform private.reclaim_tasks(v_project_id, v_project_id is not null);
  end if;
  v_tasks := private.claim_in_turn(v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit, p_lease_seconds);
  if jsonb_array_length(v_tasks) < p_limit and private.has_expired_tasks() then
    perform private.reclaim_tasks(v_project_id, v_tasks = '[]');
    -- What failed for good there may have closed a task that was just leased.
    v_tasks := (
      select coalesce(jsonb_agg(x.task order by x.place), '[]')
      from jsonb_array_elements(v_tasks) with ordinality as x (task, place)
      where exists (select from public.agent_tasks as t where t.id = (x.task ->> 'id')::uuid and t.status = 'running')
    );
    if jsonb_array_length(v_tasks) < p_limit then
      v_tasks := v_tasks || private.claim_in_turn(
        v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit - jsonb_array_length(v_tasks), p_lease_seconds
      );
    end if;
  end if;
  return jsonb_build_object('tasks', v_tasks);
end
$$;
