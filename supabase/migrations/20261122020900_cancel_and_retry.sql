-- cancel_execution and retry_execution. Both want the execution alone, with all that it runs inside of.

-- The execution of an operation of editors, with its outermost one locked alone.
create function private.lock_execution(p_execution_id uuid)
returns public.workflow_executions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
  v_root uuid;
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
  perform private.require_role(v_execution.project_id, 'editor');
  select p.root_execution_id into v_root from private.execution_progress as p where p.workflow_execution_id = p_execution_id;
  perform private.enter_execution(v_root, true);
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id for no key update;
  return v_execution;
end
$$;

create function private.cancel_execution(p_execution_id uuid, p_reason text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
begin
  if char_length(p_reason) > 10000 then
    perform private.refuse_field('reason', 'may have at most 10000 characters');
  end if;
  v_execution := private.lock_execution(p_execution_id);
  if v_execution.status in ('completed', 'failed') then
    perform private.refuse(
      'execution_not_running', format('The execution has %s.', v_execution.status), jsonb_build_object('status', v_execution.status)
    );
  end if;
  perform private.end_execution(
    p_execution_id, 'cancelled', p_reason, jsonb_strip_nulls(jsonb_build_object('user_id', auth.uid())), true
  );
  return jsonb_build_object('execution', private.execution_json(p_execution_id));
end
$$;

-- Puts the open work of a failed execution back where it was: what failed gets its attempts anew, what was cancelled with
-- it waits, is pending or is waited for again. Answers the moved tasks.
create function private.reopen_tasks(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_moved jsonb;
begin
  with latest as (
    -- Older turns of a loop are history, and so are their elements.
    select t.*, n.on_failure, n.max_attempts as budget
    from public.agent_tasks as t
    join private.workflow_nodes as n on n.version_id = t.version_id and n.node_index = t.node_index
    where t.workflow_execution_id = p_execution_id
      and (t.status = 'cancelled' or t.status = 'failed' and n.on_failure = 'fail')
      and t.iteration = (
        select c.iteration from public.agent_tasks as c
        where c.workflow_execution_id = p_execution_id and c.node_index = t.node_index and c.map_index is null
        order by c.iteration desc
        limit 1
      )
    order by t.node_index, t.iteration, t.map_index
    for no key update of t
  ), reopened as (
    update public.agent_tasks as t
    set
      status = case
        when l.map_index is not null then 'pending'
        when l.node_type = 'agent' and l.remaining = 0 then 'pending'
        when l.node_type = 'approval' and l.remaining = 0 then 'waiting'
        when l.node_type = 'map' and exists (
          select from public.agent_tasks as e
          where e.workflow_execution_id = p_execution_id and e.node_index = l.node_index and e.iteration = l.iteration
            and e.map_index is not null
        ) then 'waiting'
        when l.node_type = 'workflow' and exists (
          select from public.workflow_executions as x where x.parent_task_id = l.id and x.status in ('failed', 'cancelled')
        ) then 'waiting'
        else 'blocked'
      end,
      completed_at = null, error_message = null, lease_digest = null, report_digest = null, available_at = now(),
      -- Whoever was at work when it was cancelled did not fail: that attempt does not count.
      attempt = case when l.status = 'cancelled' and l.lease_digest is not null and l.report_digest is null then l.attempt - 1 else l.attempt end,
      max_attempts = case when l.status = 'failed' then l.attempt + l.budget else l.max_attempts end
    from latest as l
    where t.id = l.id
    returning t.id, t.status
  )
  select coalesce(json_object_agg(r.status, r.ids), '{}')::jsonb into v_moved
  from (select r.status, json_agg(r.id) as ids from reopened as r group by r.status) as r;
  return v_moved;
end
$$;

create function private.reopen_execution(p_execution_id uuid, p_reason text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_moved jsonb;
  v_project_id uuid;
  v_version_id uuid;
  v_done uuid[];
  v_ready uuid[];
  v_outcome jsonb;
  v_child_id uuid;
begin
  update public.workflow_executions as x
  set status = 'running', completed_at = null, error_message = null, state = x.input
  where x.id = p_execution_id
  returning x.project_id, x.version_id into v_project_id, v_version_id;
  insert into private.limited_executions (workflow_execution_id, project_id, concurrency_limit)
  select x.id, x.project_id, g.concurrency_limit
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id and g.concurrency_limit is not null;
  v_moved := private.reopen_tasks(p_execution_id);
  -- A loop that ran out gets its turns anew; a map or workflow that failed before it had begun is tried again at once.
  with spent as (
    update private.execution_loops as l set granted = l.taken
    from private.workflow_edges as e
    where l.workflow_execution_id = p_execution_id and not l.is_ended and e.version_id = v_version_id
      and e.edge_index = l.edge_index and e.loop_on_exhausted = 'fail' and l.taken >= e.loop_max_iterations + l.granted
    returning e.source_index
  )
  select coalesce(array_agg(distinct t.id), '{}') into v_done
  from spent as s
  join public.agent_tasks as t on t.workflow_execution_id = p_execution_id and t.node_index = s.source_index
  where t.status in ('completed', 'failed') and private.is_current(t);
  v_ready := array(
    select t.id from public.agent_tasks as t
    where t.id in (select m::uuid from jsonb_array_elements_text(v_moved -> 'blocked') as m)
      and t.node_type in ('map', 'workflow') and t.remaining = 0
    order by t.node_index
  );
  v_outcome := private.settle(p_execution_id, v_done, v_ready, false, true);
  perform private.add_event(
    p_execution_id, v_project_id, null, 'execution.retried',
    private.merge_moved(v_moved, v_outcome -> 'moved')
      || jsonb_strip_nulls(jsonb_build_object('reason', p_reason, 'user_id', auth.uid()))
  );
  if v_outcome ->> 'end' is not null then
    perform private.end_execution(p_execution_id, v_outcome ->> 'end', v_outcome ->> 'error', '{}', true);
  end if;

  -- Last, what runs inside: one that fails again at once ends this execution and with it the others.
  for v_child_id in
    select x.id from public.workflow_executions as x
    where x.status in ('failed', 'cancelled') and x.parent_task_id in (
      select m::uuid from jsonb_array_elements_text(v_moved -> 'waiting') as m
    )
    order by x.id
  loop
    exit when (select x.status from public.workflow_executions as x where x.id = p_execution_id) <> 'running';
    perform private.reopen_execution(v_child_id, null);
  end loop;
end
$$;

create function private.retry_execution(p_execution_id uuid, p_reason text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
begin
  if char_length(p_reason) > 10000 then
    perform private.refuse_field('reason', 'may have at most 10000 characters');
  end if;
  v_execution := private.lock_execution(p_execution_id);
  if v_execution.status <> 'failed' then
    perform private.refuse(
      'execution_not_failed', format('Only a failed execution can be tried again: this one is %s.', v_execution.status),
      jsonb_build_object('status', v_execution.status)
    );
  elsif v_execution.parent_task_id is not null then
    perform private.refuse(
      'execution_not_failed', 'This execution ran inside another one: retry that one.',
      jsonb_build_object('parent_task_id', v_execution.parent_task_id)
    );
  end if;
  perform private.reopen_execution(p_execution_id, p_reason);
  return jsonb_build_object('execution', private.execution_json(p_execution_id));
end
$$;

create function public.cancel_execution(execution_id uuid, reason text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.cancel_execution(cancel_execution.execution_id, cancel_execution.reason);
end
$$;

create function public.retry_execution(execution_id uuid, reason text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.retry_execution(retry_execution.execution_id, retry_execution.reason);
end
$$;
grant execute on function private.cancel_execution(uuid, text), public.cancel_execution(uuid, text),
  private.retry_execution(uuid, text), public.retry_execution(uuid, text)
to authenticated, service_role;
