-- A number may have any number of digits as text and next to none where it is stored: 1e131071 takes sixteen bytes there. What
-- the engine measured where it is stored, as six times as much at most, was the output of a task: twenty kilobytes of such
-- numbers became the input of the next task, which was hundreds of megabytes as text. No claim could answer it within its time,
-- and no worker got anything any more, in whatever project. So numbers that no JavaScript could write are refused where JSON
-- comes in, before anything of it is written out as text, which took a gigabyte. The functions have refused them before.

-- Is there a number with more digits than a double can have, before or behind the point? All of it is looked at.
create function private.has_long_numbers(p_value jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Next to no JSON has many numbers, and most of it has none.
  return jsonb_path_exists(p_value, 'strict $.** ? (@.type() == "number")') and exists (
    -- A list first: as rows of its own each of them would cost as much as there are.
    select from jsonb_array_elements(
      jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')
    ) as n (value)
    where abs(n.value::numeric) >= 1e400 or scale(n.value::numeric) > 400
  );
end
$$;
revoke execute on function private.has_long_numbers(jsonb) from public, anon;
-- Triggers ask it for whoever writes a row.
grant execute on function private.has_long_numbers(jsonb) to authenticated, service_role;

create function private.long_number_rule()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'must not hold a number of more than 400 digits'
$$;
revoke execute on function private.long_number_rule() from public, anon, authenticated, service_role;

-- What a path works out from them, by multiplying, is nothing then: like a sum that no number can hold. Lists and objects come as
-- they are in the state.
create or replace function private.read_path(p_state jsonb, p_path jsonpath)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_found jsonb;
begin
  v_found := jsonb_path_query_first(p_state, p_path, '{}', true);
  if jsonb_typeof(v_found) = 'number' and (abs(v_found::numeric) >= 1e400 or scale(v_found::numeric) > 400) then
    return null;
  end if;
  return v_found;
exception
  when others then
    return null;
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
  if pg_column_size(p_output_data) > 100 and private.has_long_numbers(p_output_data) then
    perform private.refuse_field('output_data', private.long_number_rule());
  elsif p_artifacts is not null and private.has_long_numbers(p_artifacts) then
    perform private.refuse_field('artifacts', private.long_number_rule());
  elsif p_messages is not null and private.has_long_numbers(p_messages) then
    perform private.refuse_field('messages', private.long_number_rule());
  end if;
  if octet_length(p_error_message) > 1048576
    -- Text is next to always less than twice as long as what is stored, and thirty times at most: what is large is measured.
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
  -- All of them: nobody writes such numbers by mistake.
  if private.has_long_numbers(p_results) then
    perform private.refuse_field('results', private.long_number_rule());
  end if;
  if p_results @? '$[*].output_data ? (@ == null)' then
    p_results := (
      select jsonb_agg(
        case when jsonb_typeof(r.value) = 'object' and r.value -> 'output_data' = 'null' then r.value - 'output_data' else r.value end
        order by r.place
      )
      from jsonb_array_elements(p_results) with ordinality as r (value, place)
    );
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

create or replace function private.fork_execution(p_execution_id uuid, p_from_node text, p_input jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_answer jsonb;
begin
  if private.has_long_numbers(p_input) then
    perform private.refuse_field('input', private.long_number_rule());
  end if;
  v_answer := private.fork_tasks(p_execution_id, p_from_node, p_input);
  insert into public.task_decisions (task_id, project_id, user_id, decision, comment, created_at)
  select k.id, d.project_id, d.user_id, d.decision, d.comment, d.created_at
  from public.task_decisions as d
  join public.agent_tasks as t on t.id = d.task_id
  join public.agent_tasks as k
    on k.workflow_execution_id = (v_answer #>> '{execution,id}')::uuid and k.node_index = t.node_index
      and k.iteration = t.iteration and k.map_index is null
  where t.workflow_execution_id = p_execution_id and t.status = 'completed' and k.status = 'completed'
  order by d.created_at, d.id;
  return v_answer;
end
$$;
