-- A claim that names an execution brought nothing of the workflows that run inside it: a worker for one run left that run
-- waiting at its first node of type workflow, without a word. It now brings theirs too, however deep.

-- Executions of their own pay nothing for it.
create index execution_progress_inside on private.execution_progress (root_execution_id) where depth > 0;

-- The execution and those that run inside it.
create function private.executions_within(p_execution_id uuid)
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return array(
    with recursive nested as materialized (
      select x.id, t.workflow_execution_id as around
      from private.execution_progress as own
      join private.execution_progress as p on p.root_execution_id = own.root_execution_id and p.depth > 0
      join public.workflow_executions as x on x.id = p.workflow_execution_id
      join public.agent_tasks as t on t.id = x.parent_task_id
      where own.workflow_execution_id = p_execution_id and x.status = 'running'
    ), within as (
      select p_execution_id as id
      union all
      select n.id from within as w join nested as n on n.around = w.id
    )
    select w.id from within as w
  );
end
$$;

create or replace function private.claim_in_project(
  p_turn private.project_turn, p_execution_id uuid, p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer,
  p_waits boolean
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid := p_turn.project_id;
  v_room record;
  v_ids uuid[];
  v_are_large boolean := true;
  v_tasks jsonb;
  v_now timestamptz;
  v_within uuid[];
begin
  if p_turn.is_active is not true then
    return '[]';
  end if;
  if p_turn.concurrency_limit is not null or p_turn.has_limited_executions then
    v_room := private.claim_room(v_project_id, p_turn.concurrency_limit, p_waits);
    v_ids := private.pick_limited_tasks(
      v_project_id, p_execution_id, p_agent_types, least(p_limit, coalesce(v_room.v_room, p_limit)), v_room.v_full
    );
  elsif p_execution_id is null then
    select array_agg(p.id), bool_or(p.is_large) into v_ids, v_are_large
    from (
      select t.id, pg_column_size(t.input_data) > 500 or pg_column_compression(t.input_data) is not null as is_large from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = v_project_id and t.agent_type = any (p_agent_types) and t.available_at <= now()
      order by t.priority desc, t.available_at
      limit p_limit
      for no key update skip locked
    ) as p;
  else
    v_within := private.executions_within(p_execution_id);
    select array_agg(p.id), bool_or(p.is_large) into v_ids, v_are_large
    from (
      select t.id, pg_column_size(t.input_data) > 500 or pg_column_compression(t.input_data) is not null as is_large from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = v_project_id and t.workflow_execution_id = any (v_within)
        and t.agent_type = any (p_agent_types) and t.available_at <= now()
      order by t.priority desc, t.available_at
      limit p_limit
      for no key update skip locked
    ) as p;
  end if;
  if coalesce(cardinality(v_ids), 0) = 0 then
    return '[]';
  end if;
  -- The size is that of the row. What is small there and not packed cannot matter.
  if v_are_large and cardinality(v_ids) > 1 then
    v_ids := v_ids[:private.count_that_fits(v_ids)];
  end if;
  v_now := clock_timestamp();

  with leased as materialized (
    select x.id, gen_random_uuid() as token from unnest(v_ids) as x (id)
  ), claimed as (
    update public.agent_tasks as t
    set status = 'running', worker_id = p_worker_id, attempt = t.attempt + 1, started_at = v_now, report_digest = null,
      error_message = null, lease_digest = sha256(uuid_send(l.token)),
      lease_expires_at = v_now + make_interval(secs => least(p_lease_seconds, coalesce(t.timeout_seconds, p_lease_seconds)))
    from leased as l
    where t.id = l.id
    returning t.*, l.token
  ), logged as (
    insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
    select c.workflow_execution_id, c.project_id, c.id, 'task.running',
      jsonb_build_object('attempt', c.attempt, 'worker_id', c.worker_id)
    from claimed as c
  )
  select json_agg(json_build_object(
    'id', c.id, 'lease_token', c.token, 'lease_expires_at', c.lease_expires_at, 'execution_id', c.workflow_execution_id,
    'project_id', c.project_id, 'node_id', c.node_id, 'agent_type', c.agent_type, 'agent_id', c.agent_id,
    'attempt', c.attempt, 'max_attempts', c.max_attempts, 'map_index', c.map_index, 'iteration', c.iteration,
    'input_data', c.input_data
  ) order by c.priority desc, c.available_at, c.node_index, c.map_index)::jsonb
  into v_tasks
  from claimed as c;
  return v_tasks;
end
$$;
