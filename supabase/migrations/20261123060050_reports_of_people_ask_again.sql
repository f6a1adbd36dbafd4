-- Who was removed while their report or heartbeat waited for a lock that somebody else held still made it. The right is asked
-- for again once the lock is held, of people; workers stand in every project, and pay nothing for it.

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
  v_is_person boolean := not private.is_worker();
  v_answer jsonb;
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
  if v_head.project_status is distinct from 'active' or v_is_person then
    perform private.require_task_access(v_head.project_id);
  end if;
  v_progress := v_head.progress;

  -- A failure may close every open task, and in a serial execution so may a completion. Elsewhere only the completion
  -- itself finds out that it does; it then begins again.
  v_alone := p_status = 'failed' or v_progress.mode = 'serial';
  if v_alone or (v_progress.mode = 'plain' and v_progress.depth = 0) then
    v_answer := private.report_task(
      v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
      p_messages, v_alone
    );
  else
    begin
      v_answer := private.report_task(
        v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
        p_messages, false
      );
    exception
      when sqlstate 'GE001' then
        v_answer := private.report_task(
          v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
          p_messages, true
        );
    end;
  end if;
  if v_is_person then
    perform private.require_task_access(v_head.project_id);
  end if;
  return v_answer;
end
$$;

create or replace function private.lock_leased_task(p_task_id uuid, p_lease_token uuid)
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
  if not private.is_worker() then
    perform private.require_task_access(v_project_id);
  end if;
  if v_task.lease_digest is distinct from sha256(uuid_send(p_lease_token)) then
    perform private.refuse('task_lease_lost', 'This lease no longer holds the task.', jsonb_build_object('status', v_task.status));
  end if;
  if v_task.status not in ('running', 'cancelled') then
    perform private.refuse('task_lease_lost', format('The task is %s.', v_task.status), jsonb_build_object('status', v_task.status));
  end if;
  return v_task;
end
$$;

create or replace function private.complete_tasks(p_results jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_plain private.plain_report[];
  v_together uuid[];
  v_item record;
  v_answers jsonb[];
  v_answer jsonb;
  v_message text;
  v_detail text;
  v_hint text;
begin
  if jsonb_typeof(p_results) is distinct from 'array' or jsonb_array_length(p_results) not between 1 and 100 then
    perform private.refuse_field('results', 'must be a list of 1 to 100 reports');
  end if;
  v_plain := private.plain_reports(p_results);
  begin
    v_together := private.enter_batch(p_results, v_plain);
    if cardinality(v_plain) is distinct from jsonb_array_length(p_results) then
      perform private.lock_batch_artifacts(p_results);
    end if;
    v_answers := private.complete_together(v_plain, p_results, v_together);
  exception
    -- One of them cannot be applied with the others: each for itself, then.
    when sqlstate 'GE001' or data_exception or program_limit_exceeded or check_violation then
      perform private.enter_batch(p_results, null);
      perform private.lock_batch_artifacts(p_results);
      v_answers := array_fill(null::jsonb, array[jsonb_array_length(p_results)]);
  end;
  for v_item in
    select r.value as report, r.place
    from jsonb_array_elements(p_results) with ordinality as r (value, place)
    where v_answers[r.place] is null
    order by r.place
  loop
    if private.is_out_of_time() then
      v_answers[v_item.place] := private.refusal_answer('57014', null, null, null);
      continue;
    end if;
    begin
      v_answers[v_item.place] := private.complete_from_json(v_item.report) || '{"ok": true}';
    exception
      when query_canceled then
        perform private.run_out_of_time();
        v_answers[v_item.place] := private.refusal_answer('57014', null, null, null);
      when others then
        get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_answer := private.refusal_answer(sqlstate, v_message, v_detail, v_hint);
        if v_answer is null then
          raise;
        end if;
        v_answers[v_item.place] := v_answer;
    end;
  end loop;
  if not private.is_worker() then
    perform private.require_task_access(c.project_id)
    from (
      select distinct t.project_id
      from jsonb_array_elements(p_results) with ordinality as r (value, place)
      join public.agent_tasks as t on t.id = case when v_answers[r.place] -> 'ok' = 'true' then (r.value ->> 'task_id')::uuid end
    ) as c;
  end if;
  return jsonb_build_object('results', to_jsonb(v_answers));
end
$$;
