-- A claim that names an execution with others inside it answers `executions`: that one and those, whose topics tell of new
-- work. A worker for one run heard of what began inside it only when it looked again.

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
      select coalesce(jsonb_agg(x.task order by x.place), '[]')
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
