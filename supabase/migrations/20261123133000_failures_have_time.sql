-- What follows the last failure of a task may be more than a statement has time for; then the outermost execution fails as a
-- whole. It did so too where it was quick and had no time left: behind other reports of its batch, or in a statement that had
-- waited for somebody else, ten seconds of work of strangers ended a run that needed a tenth of one. What begins late in its
-- statement and does not come to its end is undone now, and answered as every report that can be sent again; a claim does
-- not begin with it at all.
--
-- A claim that took back a task of a dead worker waited for rows that other claims had just leased, with what it had leased
-- itself: two of them could wait for each other, and where the other's transaction stayed open the time was up, the execution
-- was ended for it, and the claim went on waiting without any limit. It waits for nobody now; the next claim looks again.
--
-- One claim in sixteen takes back what dead workers hold before it looks for work, and again where it found too little. Where
-- the first of these took all the time there was, the second ended the next execution too, without having looked at it.

-- Has a statement used half of its time? What is begun now may not come to an end that is its own fault.
create function private.is_late()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_limit interval := current_setting('statement_timeout');
begin
  return v_limit > interval '0' and clock_timestamp() - statement_timestamp() > v_limit / 2;
end
$$;

revoke execute on function private.is_late() from public, anon, authenticated, service_role;

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
  v_task_id uuid;
begin
  perform private.return_expired_tasks(null);
  for v_task_id in
    select t.id from public.agent_tasks as t
    where t.status = 'running' and t.lease_expires_at < now() and t.attempt >= t.max_attempts
    order by t.lease_expires_at
    limit 20
  loop
    exit when private.is_out_of_time() or private.is_late();
    perform private.fail_expired_task(v_task_id);
  end loop;
end
$$;

-- One report, under the locks that it needs: its execution, the project's files where it brings any, then rows. p_alone: it
-- has, or wants, the execution alone.
create or replace function private.report_task(
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
  -- With the token, which nobody else has: who may see the digest cannot tell by it what they guess the report said.
  v_report_digest text := md5(jsonb_build_array(
    p_lease_token, p_status, p_output_data, p_error_message, p_label, coalesce(p_artifacts, '[]'), coalesce(p_messages, '[]')
  )::text);
  v_task public.agent_tasks;
  v_outcome jsonb;
  v_moved jsonb := '{}';
  v_is_late boolean;
begin
  perform private.enter_execution(p_progress.root_execution_id, p_alone);
  if private.brings_artifacts(p_artifacts) then
    perform private.lock_artifacts(array(select t.project_id from public.agent_tasks as t where t.id = p_task_id));
  end if;
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
  where t.id = p_task_id and case when t.status = 'running' then t.lease_digest = v_digest end
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
      perform private.complete_plain(v_task, jsonb_build_object('attempt', v_task.attempt), p_alone);
    else
      v_moved := private.record_step(v_task, 'task.completed', jsonb_build_object('attempt', v_task.attempt), v_outcome, p_alone);
    end if;
  else
    if v_task.status = 'pending' then
      v_task := private.retry_task(v_task);
    else
      v_is_late := private.is_late();
      v_moved := private.give_up_or_end(v_task, p_error_message, jsonb_build_object('attempt', v_task.attempt));
      if v_is_late and private.is_out_of_time() then
        raise exception using errcode = 'query_canceled', message = 'What follows this failure had too little time; send it again.';
      end if;
      select t.* into v_task from public.agent_tasks as t where t.id = p_task_id;
    end if;
    perform private.save_task_results(v_task, p_artifacts, p_messages);
  end if;
  return private.report_answer(v_task, v_moved);
end
$$;
