-- complete_task on the whole engine: a worker's report in one commit, and the same report twice answered twice alike.

drop function private.resolve_edges(public.agent_tasks);
drop function private.answer_repeated_report(uuid, bytea, text);
drop function private.end_execution(uuid, text, text);

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
  return private.report_answer(v_task, (
    select e.data from public.execution_events as e
    where e.workflow_execution_id = v_task.workflow_execution_id and e.task_id = v_task.id
      and e.type in ('task.completed', 'task.failed', 'task.skipped', 'task.retry')
    order by e.transaction_id desc, e.id desc
    limit 1
  ));
end
$$;

create function private.report_answer(p_task public.agent_tasks, p_moved jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'task', private.task_json(p_task),
    'execution', private.execution_json(p_task.workflow_execution_id),
    'unlocked', private.unlocked_json(p_moved)
  );
end
$$;

-- A failed attempt with attempts left: exponential, capped at a day, with up to half of it taken off at random so that
-- failures do not march in step.
create function private.retry_task(p_task public.agent_tasks)
returns public.agent_tasks
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_backoff integer;
  v_task public.agent_tasks;
begin
  select n.backoff_seconds into v_backoff
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  update public.agent_tasks as t
  set status = 'pending', available_at = now() + make_interval(
    secs => least(86400, v_backoff * 2 ^ least(p_task.attempt - 1, 20)) * (1 - random() / 2)
  )
  where t.id = p_task.id
  returning t.* into v_task;
  perform private.add_event(
    v_task.workflow_execution_id, v_task.project_id, v_task.id, 'task.retry',
    jsonb_build_object('attempt', v_task.attempt, 'available_at', v_task.available_at)
  );
  return v_task;
end
$$;

-- Where a node's edges have labels, its worker names one of them: a name that leads nowhere is a mistake, not a choice.
create function private.require_label(p_task public.agent_tasks)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_labels text[];
begin
  if p_task.map_index is not null then
    return;
  end if;
  v_labels := array(
    select distinct e.label from private.workflow_edges as e
    where e.version_id = p_task.version_id and e.source_index = p_task.node_index and e.label is not null
    order by e.label
  );
  if v_labels <> '{}' and not coalesce(p_task.label = any (v_labels), false) then
    perform private.refuse_field('label', format('must be one of: %s', array_to_string(v_labels, ', ')));
  end if;
end
$$;

-- One report, under the locks that it needs. p_alone: it has, or wants, the execution alone.
create function private.report_task(
  p_progress private.execution_progress, p_task_id uuid, p_lease_token uuid, p_status text, p_output_data jsonb,
  p_error_message text, p_execution_time_ms integer, p_label text, p_artifacts jsonb, p_messages jsonb, p_alone boolean
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
  v_outcome jsonb;
  v_moved jsonb := '{}';
begin
  perform private.enter_execution(p_progress.root_execution_id, p_alone);
  -- The last element of a map takes this lock when it knows that it is the last.
  if p_progress.mode <> 'plain' and not exists (
    select from public.agent_tasks as t where t.id = p_task_id and t.map_index is not null
  ) then
    perform private.enter_graph(p_progress.root_execution_id);
  end if;

  update public.agent_tasks as t
  set
    status = case when p_status = 'completed' then 'completed' when t.attempt < t.max_attempts then 'pending' else 'failed' end,
    output_data = case when p_status = 'completed' then p_output_data end,
    error_message = p_error_message,
    label = case when p_status = 'completed' then p_label end,
    execution_time_ms = p_execution_time_ms,
    completed_at = case when p_status = 'completed' or t.attempt >= t.max_attempts then now() end,
    lease_expires_at = null,
    report_digest = v_report_digest
  where t.id = p_task_id and t.status = 'running' and t.lease_digest = v_digest
  returning t.* into v_task;
  if v_task.id is null then
    return private.answer_repeated_report(p_task_id, v_digest, v_report_digest);
  end if;

  if p_status = 'completed' then
    if p_artifacts is not null or p_messages is not null then
      perform private.save_task_results(v_task, p_artifacts, p_messages);
    end if;
    if p_progress.mode = 'plain' and v_task.map_index is null then
      v_outcome := private.advance_plain(v_task);
    else
      perform private.require_label(v_task);
      v_outcome := case
        when v_task.map_index is not null then private.finish_element(v_task, p_alone)
        else private.settle(v_task.workflow_execution_id, array[v_task.id], '{}', false, p_alone)
      end;
    end if;
    if p_progress.mode = 'plain' and v_outcome ->> 'end' is not null then
      perform private.complete_plain(v_task, jsonb_build_object('attempt', v_task.attempt));
    else
      v_moved := private.record_step(v_task, 'task.completed', jsonb_build_object('attempt', v_task.attempt), v_outcome, p_alone);
    end if;
  else
    if v_task.status = 'pending' then
      v_task := private.retry_task(v_task);
    else
      v_moved := private.give_up_or_end(v_task, p_error_message, jsonb_build_object('attempt', v_task.attempt));
      select t.* into v_task from public.agent_tasks as t where t.id = p_task_id;
    end if;
    -- After the other tasks are closed: one of them may hold a path while it waits to be.
    perform private.save_task_results(v_task, p_artifacts, p_messages);
  end if;
  return private.report_answer(v_task, v_moved);
end
$$;

create or replace function private.complete_task(
  p_task_id uuid, p_lease_token uuid, p_status text, p_output_data jsonb, p_error_message text, p_execution_time_ms integer,
  p_label text, p_artifacts jsonb, p_messages jsonb
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
  v_head record;
  v_progress private.execution_progress;
  v_alone boolean;
begin
  if p_status is null or p_status not in ('completed', 'failed') then
    perform private.refuse_field('status', 'must be completed or failed');
  end if;
  if p_execution_time_ms < 0 then
    perform private.refuse_field('execution_time_ms', 'must not be negative');
  end if;
  if char_length(p_label) > 200 then
    perform private.refuse_field('label', 'may have at most 200 characters');
  end if;
  if octet_length(p_error_message) > 1048576
    -- Text is at most six times as long as what is stored: only what may be too long is written out to be measured.
    or (pg_column_size(p_output_data) > 131072 and octet_length(p_output_data::text) > 1048576)
   then
    perform private.refuse('payload_too_large', 'output_data and error_message may have 1 MiB each.');
  end if;
  select t.project_id, p as progress, o.status as project_status into v_head
  from public.agent_tasks as t
  join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
  join public.projects as o on o.id = t.project_id
  where t.id = p_task_id;
  if v_head.project_status is distinct from 'active' or not private.is_worker() then
    perform private.require_task_access(v_head.project_id);
  end if;
  v_progress := v_head.progress;

  -- A failure may close every open task, and in a serial execution so may a completion. Elsewhere only the completion
  -- itself finds out that it does; it then begins again.
  v_alone := p_status = 'failed' or v_progress.mode = 'serial';
  if v_alone or (v_progress.mode = 'plain' and v_progress.depth = 0) then
    return private.report_task(
      v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
      p_messages, v_alone
    );
  end if;
  begin
    return private.report_task(
      v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
      p_messages, false
    );
  exception
    when sqlstate 'GE001' then
      return private.report_task(
        v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
        p_messages, true
      );
  end;
end
$$;
