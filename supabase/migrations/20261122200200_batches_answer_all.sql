-- One report of a batch must not cost the others their answers. What its data make impossible (a number too large, more
-- than a value can hold) is refused like anything else about it. One that takes all the time there was is undone, and
-- those behind it are not begun: they can be sent again.

-- The answer to a report of a batch that was not applied; null where the fault is not the report's.
create function private.refusal_answer(p_sqlstate text, p_message text, p_detail text, p_hint text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_error jsonb;
begin
  v_error := case
    when p_sqlstate like 'PT4%'
      then jsonb_build_object('code', p_hint, 'message', p_message, 'details', p_detail::jsonb)
    when p_sqlstate = '57014'
      then jsonb_build_object('code', 'unavailable', 'message', 'The database took too long; try again.', 'details', '{}'::jsonb)
    when p_sqlstate = '54001'
      then jsonb_build_object('code', 'validation_failed', 'message', 'The JSON is nested too deeply.', 'details', '{}'::jsonb)
    when p_sqlstate like '54%'
      then jsonb_build_object('code', 'payload_too_large', 'message', 'The data is more than one value can hold.', 'details', '{}'::jsonb)
    when p_sqlstate like '22%' or p_sqlstate = '23514'
      then jsonb_build_object('code', 'validation_failed', 'message', format('A value is not allowed here: %s.', p_message), 'details', '{}'::jsonb)
  end;
  return case when v_error is not null then jsonb_build_object('ok', false, 'error', v_error) end;
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
  return jsonb_build_object('results', to_jsonb(v_answers));
end
$$;
