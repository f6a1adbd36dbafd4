-- jsonb_agg measures what is left of a value once for each text in it (PostgreSQL copies the texts with snprintf): a value of a
-- mebibyte with a list of 25,000 texts takes it sixteen seconds, in which nothing can interrupt it. So a claim that took leases back
-- and had found a task with such an input came to nothing, and so did each one after it; a batch with such an output beside one of
-- null, and publishing a graph with such a constant, took as long. json_agg writes them down as they are.
create or replace function private.claim_or_reclaim(
  p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer, p_project_id uuid, p_execution_id uuid
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
  v_project_id uuid;
  v_tasks jsonb;
  v_within uuid[];
begin
  if coalesce(char_length(p_worker_id), 0) not between 1 and 200 then
    perform private.refuse_field('worker_id', 'must have 1 to 200 characters');
  end if;
  if coalesce(cardinality(p_agent_types), 0) not between 1 and 100 then
    perform private.refuse_field('agent_types', 'must name 1 to 100 agent types');
  end if;
  if p_limit is null or p_limit not between 1 and 100 then
    perform private.refuse_field('limit', 'must be between 1 and 100');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 86400 then
    perform private.refuse_field('lease_seconds', 'must be between 1 and 86400');
  end if;
  if p_execution_id is not null then
    select x.project_id into v_project_id from public.workflow_executions as x where x.id = p_execution_id;
    if v_project_id is null or private.role_in_project(v_project_id) is null
      or v_project_id <> coalesce(p_project_id, v_project_id)
    then
      perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
    end if;
  end if;
  v_project_id := coalesce(v_project_id, p_project_id);
  if v_project_id is not null then
    perform private.ask_role(v_project_id, 'editor');
  end if;

  -- Nothing has to run in the background: who finds too little to do takes back what dead workers hold, and so does one
  -- busy claim in sixteen. Before any task is leased where that may take long, so that no lease is spent on it.
  if random() < 0.0625 and private.has_expired_tasks() then
    perform private.reclaim_tasks(v_project_id, v_project_id is not null);
  end if;
  v_tasks := private.claim_in_turn(v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit, p_lease_seconds);
  if jsonb_array_length(v_tasks) < p_limit and private.has_expired_tasks() then
    perform private.reclaim_tasks(v_project_id, v_tasks = '[]');
    -- What failed for good there may have closed a task that was just leased.
    v_tasks := (
      select coalesce(json_agg(x.task order by x.place)::jsonb, '[]')
      from jsonb_array_elements(v_tasks) with ordinality as x (task, place)
      where exists (select from public.agent_tasks as t where t.id = (x.task ->> 'id')::uuid and t.status = 'running')
    );
    if jsonb_array_length(v_tasks) < p_limit then
      v_tasks := v_tasks || private.claim_in_turn(
        v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit - jsonb_array_length(v_tasks), p_lease_seconds
      );
    end if;
  end if;
  if p_execution_id is not null then
    v_within := private.executions_within(p_execution_id);
  end if;
  return jsonb_build_object('tasks', v_tasks) || case
    when cardinality(v_within) > 1 then jsonb_build_object('executions', v_within[:100])
    else '{}'
  end;
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
      select json_agg(
        case when jsonb_typeof(r.value) = 'object' and r.value -> 'output_data' = 'null' then r.value - 'output_data' else r.value end
        order by r.place
      )::jsonb
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
create or replace function private.read_nodes(p_project_id uuid, p_definition jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with given as (
    select
      n.position as place,
      private.as_id(n.value -> 'id') as id,
      case when jsonb_typeof(n.value -> 'metadata') = 'object' then n.value -> 'metadata' else '{}' end
        || case when jsonb_typeof(n.value) = 'object' then n.value - 'metadata' - 'data' - 'id' else '{}' end as conf,
      n.value #>> '{metadata,type}' as metadata_type
    from jsonb_array_elements(p_definition -> 'nodes') with ordinality as n (value, position)
  ), typed as (
    select
      g.place,
      row_number() over (order by g.place) as position,
      g.id,
      g.conf,
      case
        when g.conf ->> 'type' in ('agent', 'map', 'approval', 'workflow') then g.conf ->> 'type'
        when g.metadata_type in ('agent', 'map', 'approval', 'workflow') then g.metadata_type
        when coalesce(g.conf ->> 'type', 'runnable') in ('runnable', 'schema', 'unknown') then 'agent'
      end as type
    from given as g
    where g.id is distinct from '__start__' and g.id is distinct from '__end__'
  ), resolved as (
    select
      t.*,
      coalesce(
        t.conf ->> 'agent_type',
        case when private.is_agent_type(p_project_id, t.id) then t.id end,
        (select p_definition #>> '{defaults,agent_type}')
      ) as agent_type
    from typed as t
  )
  select coalesce(json_agg(jsonb_build_object(
    'position', r.position, 'node_id', coalesce(nullif(r.id, ''), format('nodes[%s]', r.place - 1)),
    'has_id', coalesce(r.id, '') <> '', 'type', r.type, 'conf', r.conf, 'agent_type', r.agent_type
  ) order by r.position)::jsonb, '[]')
  from resolved as r
$$;
