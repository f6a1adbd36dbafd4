-- claim_tasks and heartbeat_task: how a worker gets work and keeps it. A claim hands out a lease token that every later
-- word of the worker must carry; an expired lease is taken back by whoever asks next, so no scheduler is needed.

-- Closes what dead workers left behind with their last attempt used up, and the executions it belonged to. The
-- execution is locked before the task, in the order of every other ending; one that is busy is left to its holder.
create function private.fail_abandoned_tasks(p_projects uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution_id uuid;
  v_task public.agent_tasks;
begin
  for v_execution_id in
    select x.id
    from public.workflow_executions as x
    where x.id in (
      select t.workflow_execution_id
      from public.agent_tasks as t
      where t.status = 'running' and t.lease_expires_at < now() and t.attempt >= t.max_attempts
        and (p_projects is null or t.project_id = any (p_projects))
      order by t.lease_expires_at
      limit 100
    )
    for no key update skip locked
  loop
    select t.* into v_task
    from public.agent_tasks as t
    where t.workflow_execution_id = v_execution_id and t.status = 'running' and t.lease_expires_at < now()
      and t.attempt >= t.max_attempts
    order by t.node_index
    limit 1
    for no key update skip locked;
    continue when v_task.id is null;

    update public.agent_tasks as t
    set status = 'failed', completed_at = now(), lease_expires_at = null,
      error_message = format('The lease of worker %s expired on attempt %s of %s.', t.worker_id, t.attempt, t.max_attempts)
    where t.id = v_task.id;
    insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
    values (v_execution_id, v_task.project_id, v_task.id, 'task.failed', '{"reason": "lease_expired"}');
    perform private.end_execution(v_execution_id, 'failed', format('Task %s failed: its worker disappeared.', v_task.node_id));
  end loop;
end
$$;

create function private.claim_tasks(
  p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer, p_project_id uuid, p_execution_id uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_is_worker boolean := private.is_worker();
  v_projects uuid[];
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
    if private.role_in_project((select x.project_id from public.workflow_executions as x where x.id = p_execution_id)) is null then
      perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
    end if;
  end if;
  if p_project_id is not null or p_execution_id is not null then
    perform private.require_role(
      coalesce(p_project_id, (select x.project_id from public.workflow_executions as x where x.id = p_execution_id)), 'editor'
    );
  end if;
  if not v_is_worker then
    v_projects := array(select private.project_ids('editor'));
  end if;

  perform private.fail_abandoned_tasks(v_projects);

  -- Expired leases before new work: what was begun is the older promise.
  with expired as (
    select t.id
    from public.agent_tasks as t
    where t.status = 'running' and t.lease_expires_at < now() and t.attempt < t.max_attempts
      and t.agent_type = any (p_agent_types)
      and (p_execution_id is null or t.workflow_execution_id = p_execution_id)
      and (p_project_id is null or t.project_id = p_project_id)
      and case
        when v_projects is not null then t.project_id = any (v_projects)
        else exists (select from public.projects as p where p.id = t.project_id and p.status = 'active')
      end
    order by t.lease_expires_at
    limit p_limit
    for no key update skip locked
  ), pending as (
    select t.id
    from public.agent_tasks as t
    where t.status = 'pending' and t.agent_type = any (p_agent_types) and t.available_at <= now()
      and (p_execution_id is null or t.workflow_execution_id = p_execution_id)
      and (p_project_id is null or t.project_id = p_project_id)
      and case
        when v_projects is not null then t.project_id = any (v_projects)
        else exists (select from public.projects as p where p.id = t.project_id and p.status = 'active')
      end
    order by t.priority desc, t.available_at, t.created_at
    limit p_limit - (select count(*) from expired)
    for no key update skip locked
  ), leased as (
    select c.id, gen_random_uuid() as token from (select e.id from expired as e union all select p.id from pending as p) as c
  ), claimed as (
    update public.agent_tasks as t
    set status = 'running', worker_id = p_worker_id, attempt = t.attempt + 1, started_at = now(), report_digest = null,
      error_message = null, lease_digest = sha256(uuid_send(l.token)),
      lease_expires_at = now() + make_interval(secs => p_lease_seconds)
    from leased as l
    where t.id = l.id
    returning t.*, l.token
  ), logged as (
    insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
    select c.workflow_execution_id, c.project_id, c.id, 'task.running',
      jsonb_build_object('attempt', c.attempt, 'worker_id', c.worker_id)
    from claimed as c
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', c.id, 'lease_token', c.token, 'lease_expires_at', c.lease_expires_at, 'execution_id', c.workflow_execution_id,
    'project_id', c.project_id, 'node_id', c.node_id, 'agent_type', c.agent_type, 'agent_id', c.agent_id,
    'attempt', c.attempt, 'max_attempts', c.max_attempts, 'map_index', c.map_index, 'iteration', c.iteration,
    'input_data', c.input_data
  ) order by c.priority desc, c.available_at, c.created_at, c.node_index), '[]')
  into v_tasks
  from claimed as c;
  return jsonb_build_object('tasks', v_tasks);
end
$$;

create function public.claim_tasks(
  worker_id text, agent_types text[], "limit" integer default 1, lease_seconds integer default 60,
  project_id uuid default null, execution_id uuid default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.claim_tasks(
    claim_tasks.worker_id, claim_tasks.agent_types, claim_tasks."limit", claim_tasks.lease_seconds, claim_tasks.project_id,
    claim_tasks.execution_id
  );
end
$$;
grant execute on function private.claim_tasks(text, text[], integer, integer, uuid, uuid) to authenticated, service_role;
grant execute on function public.claim_tasks(text, text[], integer, integer, uuid, uuid) to authenticated, service_role;

-- May the caller speak for tasks of this project? Where they may not even see it, the task does not exist for them.
create function private.require_task_access(p_project_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if p_project_id is null or private.role_in_project(p_project_id) is null then
    perform private.refuse('task_not_found', 'There is no such task, or you are not a member of its project.');
  end if;
  perform private.require_role(p_project_id, 'editor');
end
$$;

create function private.heartbeat_task(p_task_id uuid, p_lease_token uuid, p_lease_seconds integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks;
begin
  if p_lease_seconds is null or p_lease_seconds not between 1 and 86400 then
    perform private.refuse_field('lease_seconds', 'must be between 1 and 86400');
  end if;
  select t.* into v_task from public.agent_tasks as t where t.id = p_task_id for no key update;
  perform private.require_task_access(v_task.project_id);
  if v_task.lease_digest is distinct from sha256(uuid_send(p_lease_token)) then
    perform private.refuse('task_lease_lost', 'This lease no longer holds the task.', jsonb_build_object('status', v_task.status));
  end if;
  if v_task.status = 'cancelled' then
    return jsonb_build_object('lease_expires_at', null, 'cancelled', true);
  end if;
  if v_task.status <> 'running' then
    perform private.refuse('task_lease_lost', format('The task is %s.', v_task.status), jsonb_build_object('status', v_task.status));
  end if;
  update public.agent_tasks as t
  set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
  where t.id = p_task_id
  returning t.* into v_task;
  return jsonb_build_object('lease_expires_at', v_task.lease_expires_at, 'cancelled', false);
end
$$;

create function public.heartbeat_task(task_id uuid, lease_token uuid, lease_seconds integer default 60)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.heartbeat_task(heartbeat_task.task_id, heartbeat_task.lease_token, heartbeat_task.lease_seconds);
end
$$;
grant execute on function private.heartbeat_task(uuid, uuid, integer) to authenticated, service_role;
grant execute on function public.heartbeat_task(uuid, uuid, integer) to authenticated, service_role;
