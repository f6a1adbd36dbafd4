-- complete_tasks: up to a hundred reports in one commit.

-- Up to a hundred reports in one commit, each for itself: what is refused changes nothing and stops none of the others.
-- Answers in the order asked.
create function private.complete_tasks(p_results jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_item record;
  v_answers jsonb[];
  v_message text;
  v_detail text;
  v_hint text;
begin
  if jsonb_typeof(p_results) is distinct from 'array' or jsonb_array_length(p_results) not between 1 and 100 then
    perform private.refuse_field('results', 'must be a list of 1 to 100 reports');
  end if;
  -- Two reports of one batch may want each other's successors in any order, so a batch wants its executions alone where
  -- it reports several tasks of one, and all of them in one order.
  perform private.enter_batch(p_results);
  perform private.lock_batch_artifacts(p_results);
  v_answers := array_fill(null::jsonb, array[jsonb_array_length(p_results)]);
  for v_item in
    select r.value as report, r.place from jsonb_array_elements(p_results) with ordinality as r (value, place)
  loop
    begin
      v_answers[v_item.place] := private.complete_from_json(v_item.report) || '{"ok": true}';
    exception
      when others then
        if sqlstate not like 'PT4%' then
          raise;
        end if;
        get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_answers[v_item.place] := jsonb_build_object(
          'ok', false, 'error', jsonb_build_object('code', v_hint, 'message', v_message, 'details', v_detail::jsonb)
        );
    end;
  end loop;
  return jsonb_build_object('results', to_jsonb(v_answers));
end
$$;

create function private.enter_batch(p_results jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_root record;
begin
  for v_root in
    select p.root_execution_id as id, count(*) > 1 or bool_or(r.value ->> 'status' = 'failed') or bool_or(p.mode <> 'plain' or p.depth > 0) as alone
    from jsonb_array_elements(p_results) as r
    join public.agent_tasks as t on t.id = case when pg_input_is_valid(r.value ->> 'task_id', 'uuid') then (r.value ->> 'task_id')::uuid end
    join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
    -- What the caller may not report is refused one by one later; nobody holds up the executions of others until then.
    where private.is_worker() or t.project_id in (select private.project_ids('editor'))
    group by p.root_execution_id
    order by p.root_execution_id
  loop
    perform private.enter_execution(v_root.id, v_root.alone);
  end loop;
end
$$;

create function private.complete_from_json(p_report jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if jsonb_typeof(p_report) is distinct from 'object' then
    perform private.refuse_field('results', 'must be objects');
  end if;
  if not pg_input_is_valid(coalesce(p_report ->> 'task_id', ''), 'uuid') then
    perform private.refuse_field('task_id', 'must be a UUID');
  end if;
  if not pg_input_is_valid(coalesce(p_report ->> 'lease_token', ''), 'uuid') then
    perform private.refuse_field('lease_token', 'must be a UUID');
  end if;
  if not pg_input_is_valid(coalesce(p_report ->> 'execution_time_ms', '0'), 'integer') then
    perform private.refuse_field('execution_time_ms', 'must be a whole number');
  end if;
  return private.complete_task(
    (p_report ->> 'task_id')::uuid, (p_report ->> 'lease_token')::uuid, p_report ->> 'status', p_report -> 'output_data',
    p_report ->> 'error_message', (p_report ->> 'execution_time_ms')::integer, p_report ->> 'label',
    nullif(p_report -> 'artifacts', 'null'), nullif(p_report -> 'messages', 'null')
  );
end
$$;

create function public.complete_tasks(results jsonb)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.complete_tasks(complete_tasks.results);
end
$$;
grant execute on function private.complete_tasks(jsonb), public.complete_tasks(jsonb) to authenticated, service_role;
