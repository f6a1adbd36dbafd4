-- What a worker may say while its lease holds: that it is still at work, or that it gives the task back.

-- May the caller speak for tasks of this project? Where they may not even see it, the task does not exist for them. A
-- worker is asked for nothing but that the project can change.
create or replace function private.require_task_access(p_project_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_status text;
begin
  if private.is_worker() then
    select p.status into v_status from public.projects as p where p.id = p_project_id;
    if v_status = 'active' then
      return;
    end if;
  end if;
  if p_project_id is null or private.role_in_project(p_project_id) is null then
    perform private.refuse('task_not_found', 'There is no such task, or you are not a member of its project.');
  end if;
  perform private.require_role(p_project_id, 'editor');
end
$$;

-- The task that a worker speaks of, locked, if its lease holds it. Access comes first: whoever may not speak of it must
-- not be able to hold its row either.
create function private.lock_leased_task(p_task_id uuid, p_lease_token uuid)
returns public.agent_tasks
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
  v_task public.agent_tasks;
begin
  select t.project_id into v_project_id from public.agent_tasks as t where t.id = p_task_id;
  perform private.require_task_access(v_project_id);
  select t.* into v_task from public.agent_tasks as t where t.id = p_task_id for no key update;
  if v_task.lease_digest is distinct from sha256(uuid_send(p_lease_token)) then
    perform private.refuse('task_lease_lost', 'This lease no longer holds the task.', jsonb_build_object('status', v_task.status));
  end if;
  if v_task.status not in ('running', 'cancelled') then
    perform private.refuse('task_lease_lost', format('The task is %s.', v_task.status), jsonb_build_object('status', v_task.status));
  end if;
  return v_task;
end
$$;

-- Keeps a lease, but never beyond the time that the node gives an attempt.
create or replace function private.heartbeat_task(p_task_id uuid, p_lease_token uuid, p_lease_seconds integer)
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
  v_task := private.lock_leased_task(p_task_id, p_lease_token);
  if v_task.status = 'cancelled' then
    return jsonb_build_object('lease_expires_at', null, 'cancelled', true);
  end if;
  if v_task.timeout_seconds is not null and v_task.started_at + make_interval(secs => v_task.timeout_seconds) <= now() then
    perform private.refuse('task_lease_lost', format('The attempt has used up its %s s.', v_task.timeout_seconds), '{"status": "running"}');
  end if;
  update public.agent_tasks as t
  set lease_expires_at = least(
    now() + make_interval(secs => p_lease_seconds), t.started_at + make_interval(secs => t.timeout_seconds)
  )
  where t.id = p_task_id
  returning t.* into v_task;
  return jsonb_build_object('lease_expires_at', v_task.lease_expires_at, 'cancelled', false);
end
$$;

-- Gives a lease back unused: the task is pending again at once, and the attempt does not count.
create function private.release_task(p_task_id uuid, p_lease_token uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks := private.lock_leased_task(p_task_id, p_lease_token);
begin
  if v_task.status = 'running' then
    update public.agent_tasks as t
    set status = 'pending', attempt = t.attempt - 1, available_at = now(), lease_expires_at = null, lease_digest = null
    where t.id = p_task_id
    returning t.* into v_task;
    perform private.add_event(
      v_task.workflow_execution_id, v_task.project_id, v_task.id, 'task.released', jsonb_build_object('worker_id', v_task.worker_id)
    );
  end if;
  return jsonb_build_object('task', private.task_json(v_task));
end
$$;

create function public.release_task(task_id uuid, lease_token uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.release_task(release_task.task_id, release_task.lease_token);
end
$$;
grant execute on function private.release_task(uuid, uuid), public.release_task(uuid, uuid) to authenticated, service_role;
