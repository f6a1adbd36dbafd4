-- A batch waits three seconds for whoever holds one of its executions; then each report is tried for itself, and the one that
-- would have to wait is answered as unavailable. One editor who forked a large run again and again, or deleted a project, kept
-- all that a worker had to report in one batch from being taken, of whatever project it was.

create or replace function private.complete_tasks(p_results jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set lock_timeout = '3s'
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
    -- Somebody else has what one of them needs: each for itself, and none of them waits long.
    when lock_not_available then
      perform set_config('lock_timeout', '100ms', true);
      v_answers := array_fill(null::jsonb, array[jsonb_array_length(p_results)]);
    -- One of them cannot be applied with the others: each for itself, then.
    when sqlstate 'GE001' or data_exception or program_limit_exceeded or check_violation then
      begin
        perform private.enter_batch(p_results, null);
        perform private.lock_batch_artifacts(p_results);
      exception
        when lock_not_available then
          perform set_config('lock_timeout', '100ms', true);
      end;
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
      when lock_not_available then
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
