-- complete_task: a worker's report, in one commit: its output or error, its artifacts and messages, the tasks it unlocks,
-- the events, and the end of the execution when it was the last. Costs its outgoing edges and no more.

-- Ends an execution. Open tasks are closed in graph order, the order in which completions lock, so that nobody deadlocks.
create function private.end_execution(p_execution_id uuid, p_status text, p_error_message text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
begin
  update public.workflow_executions as x
  set status = p_status, completed_at = now(), error_message = p_error_message
  where x.id = p_execution_id and x.status in ('pending', 'running')
  returning x.project_id into v_project_id;
  if v_project_id is null then
    return;
  end if;

  with open as (
    select t.id from public.agent_tasks as t
    where t.workflow_execution_id = p_execution_id and t.status in ('blocked', 'pending', 'running', 'waiting')
    order by t.node_index, t.iteration, t.map_index
    for no key update
  ), closed as (
    update public.agent_tasks as t
    set status = 'cancelled', completed_at = now(), lease_expires_at = null
    from open as o
    where t.id = o.id
    returning t.id
  )
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type)
  select p_execution_id, v_project_id, c.id, 'task.cancelled' from closed as c;

  -- After the last write to a task, so that the fold holds every output.
  update public.workflow_executions as x
  set state = private.fold_state(p_execution_id)
  where x.id = p_execution_id;
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values (p_execution_id, v_project_id, null, 'execution.' || p_status, jsonb_strip_nulls(jsonb_build_object('error', p_error_message)));
end
$$;

-- Resolves the edges behind a completed task, writes the events, ends the execution when nothing is left, and returns
-- what became pending.
create function private.resolve_edges(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_targets integer[];
  v_counts integer[];
  v_ready uuid[];
  v_unlocked jsonb := '[]';
  v_too_large text;
  v_remaining integer;
begin
  select array_agg(e.target_index order by e.target_index), array_agg(e.n order by e.target_index)
  into v_targets, v_counts
  from (
    select e.target_index, count(*)::integer as n
    from private.workflow_edges as e
    where e.version_id = p_task.version_id and e.source_index = p_task.node_index and e.target_index is not null
    group by e.target_index
  ) as e;

  -- Rows are locked in graph order before any is changed: two completions with successors in common then wait in line
  -- instead of for each other. The targets are an array, so that every plan goes by the index, with or without statistics.
  with locked as (
    select t.id, t.node_index
    from public.agent_tasks as t
    where t.workflow_execution_id = p_task.workflow_execution_id and t.node_index = any (v_targets)
      and t.iteration = p_task.iteration and t.map_index is null and t.status = 'blocked'
    order by t.node_index
    for no key update
  ), counted as (
    update public.agent_tasks as t
    set remaining = t.remaining - e.n
    from locked as l
    join unnest(v_targets, v_counts) as e (target_index, n) on e.target_index = l.node_index
    where t.id = l.id and t.status = 'blocked'
    returning t.id, t.remaining
  )
  select array_agg(c.id) into v_ready from counted as c where c.remaining = 0;

  -- A task whose last edge this was is given its input in a statement of its own: only a new snapshot sees the outputs
  -- of predecessors that committed while this one waited for the lock.
  if v_ready is not null then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', available_at = now(),
        input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
      where t.id = any (v_ready)
      returning t.*
    )
    select jsonb_agg(private.task_json(c) order by c.node_index),
      min(c.node_id) filter (where octet_length(c.input_data::text) > 1048576)
    into v_unlocked, v_too_large
    from changed as c;
    if v_too_large is not null then
      perform private.refuse(
        'payload_too_large', format('The input of task %s would be over 1 MiB: report less output.', v_too_large),
        jsonb_build_object('node_id', v_too_large)
      );
    end if;
  end if;

  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  select p_task.workflow_execution_id, p_task.project_id, p_task.id, 'task.completed',
    jsonb_build_object('attempt', p_task.attempt, 'unlocked', jsonb_path_query_array(v_unlocked, '$[*].id'))
  union all
  select p_task.workflow_execution_id, p_task.project_id, (u ->> 'id')::uuid, 'task.pending',
    jsonb_build_object('node_id', u -> 'node_id')
  from jsonb_array_elements(v_unlocked) as u;

  update private.execution_progress as p
  set remaining = p.remaining - e.n
  from (
    select count(*)::integer as n from private.workflow_edges as e
    where e.version_id = p_task.version_id and e.source_index = p_task.node_index and e.target_index is null
  ) as e
  where p.workflow_execution_id = p_task.workflow_execution_id and e.n > 0
  returning p.remaining into v_remaining;
  if v_remaining = 0 then
    perform private.end_execution(p_task.workflow_execution_id, 'completed', null);
  end if;
  return v_unlocked;
end
$$;

-- A report that did not meet a running task under its lease: the same one again is answered again, anything else refused.
create function private.answer_repeated_report(p_task_id uuid, p_digest bytea, p_report_digest text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks;
begin
  select t.* into v_task from public.agent_tasks as t where t.id = p_task_id;
  perform private.require_task_access(v_task.project_id);
  if v_task.lease_digest is distinct from p_digest or v_task.report_digest is null then
    perform private.refuse(
      'task_lease_lost', format('This lease does not hold the task: it is %s.', v_task.status), jsonb_build_object('status', v_task.status)
    );
  end if;
  if v_task.report_digest <> p_report_digest then
    perform private.refuse(
      'task_already_reported', 'This attempt was already reported, with another result.', jsonb_build_object('status', v_task.status)
    );
  end if;
  return jsonb_build_object(
    'task', private.task_json(v_task),
    'execution', private.execution_json(v_task.workflow_execution_id),
    'unlocked', coalesce(
      (
        select jsonb_agg(private.task_json(t) order by t.node_index, t.iteration, t.map_index)
        from public.execution_events as e
        cross join lateral jsonb_array_elements_text(e.data -> 'unlocked') as u (id)
        join public.agent_tasks as t on t.id = u.id::uuid
        where e.workflow_execution_id = v_task.workflow_execution_id and e.task_id = v_task.id and e.type = 'task.completed'
      ), '[]'
    )
  );
end
$$;

create function private.complete_task(
  p_task_id uuid, p_lease_token uuid, p_status text, p_output_data jsonb, p_error_message text, p_execution_time_ms integer,
  p_label text, p_artifacts jsonb, p_messages jsonb
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_digest bytea := sha256(uuid_send(p_lease_token));
  v_report_digest text := md5(jsonb_build_array(
    p_status, p_output_data, p_error_message, p_label, coalesce(p_artifacts, '[]'), coalesce(p_messages, '[]')
  )::text);
  v_task public.agent_tasks;
  v_node private.workflow_nodes;
  v_unlocked jsonb := '[]';
begin
  if p_status is null or p_status not in ('completed', 'failed') then
    perform private.refuse_field('status', 'must be completed or failed');
  end if;
  if p_execution_time_ms < 0 then
    perform private.refuse_field('execution_time_ms', 'must not be negative');
  end if;
  if octet_length(p_output_data::text) > 1048576 or octet_length(p_error_message) > 1048576 then
    perform private.refuse('payload_too_large', 'output_data and error_message may have 1 MiB each.');
  end if;

  if p_status = 'failed' then
    -- A failure may end the execution and close every open task: whoever does that holds the execution first, so that
    -- two of them do not each wait for the other's task.
    perform 1
    from public.workflow_executions as x
    where x.id = (select t.workflow_execution_id from public.agent_tasks as t where t.id = p_task_id)
    for no key update;
  end if;

  update public.agent_tasks as t
  set
    status = case when p_status = 'completed' then 'completed' when t.attempt < t.max_attempts then 'pending' else 'failed' end,
    output_data = case when p_status = 'completed' then p_output_data end,
    error_message = p_error_message,
    label = p_label,
    execution_time_ms = p_execution_time_ms,
    completed_at = case when p_status = 'completed' or t.attempt >= t.max_attempts then now() end,
    lease_expires_at = null,
    report_digest = v_report_digest
  where t.id = p_task_id and t.status = 'running' and t.lease_digest = v_digest
  returning t.* into v_task;
  if v_task.id is null then
    return private.answer_repeated_report(p_task_id, v_digest, v_report_digest);
  end if;
  perform private.require_task_access(v_task.project_id);

  if p_status = 'completed' then
    if p_artifacts is not null or p_messages is not null then
      perform private.save_task_results(v_task, p_artifacts, p_messages);
    end if;
    v_unlocked := private.resolve_edges(v_task);
  elsif v_task.status = 'pending' then
    -- Exponential, capped at a day, with up to half of it taken off at random so that failures do not march in step.
    select n.* into v_node
    from private.workflow_nodes as n where n.version_id = v_task.version_id and n.node_index = v_task.node_index;
    update public.agent_tasks as t
    set available_at = now() + make_interval(
      secs => least(86400, v_node.backoff_seconds * 2 ^ least(v_task.attempt - 1, 20)) * (1 - random() / 2)
    )
    where t.id = v_task.id
    returning t.* into v_task;
    insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
    values (v_task.workflow_execution_id, v_task.project_id, v_task.id, 'task.retry',
      jsonb_build_object('attempt', v_task.attempt, 'available_at', v_task.available_at));
  else
    insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
    values (v_task.workflow_execution_id, v_task.project_id, v_task.id, 'task.failed', jsonb_build_object('attempt', v_task.attempt));
    perform private.end_execution(
      v_task.workflow_execution_id, 'failed',
      format('Task %s failed: %s', v_task.node_id, left(coalesce(p_error_message, 'no reason given'), 500))
    );
  end if;
  if p_status = 'failed' then
    -- After the other tasks are closed: one of them may hold a path while it waits to be.
    perform private.save_task_results(v_task, p_artifacts, p_messages);
  end if;

  return jsonb_build_object(
    'task', private.task_json(v_task),
    'execution', private.execution_json(v_task.workflow_execution_id),
    'unlocked', v_unlocked
  );
end
$$;

create function public.complete_task(
  task_id uuid, lease_token uuid, status text, output_data jsonb default null, error_message text default null,
  execution_time_ms integer default null, label text default null, artifacts jsonb default null, messages jsonb default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.complete_task(
    complete_task.task_id, complete_task.lease_token, complete_task.status, complete_task.output_data,
    complete_task.error_message, complete_task.execution_time_ms, complete_task.label, complete_task.artifacts,
    complete_task.messages
  );
end
$$;
grant execute on function private.complete_task(uuid, uuid, text, jsonb, text, integer, text, jsonb, jsonb)
to authenticated, service_role;
grant execute on function public.complete_task(uuid, uuid, text, jsonb, text, integer, text, jsonb, jsonb)
to authenticated, service_role;
