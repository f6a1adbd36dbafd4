-- A claim ends after 4 MiB of inputs, as they are answered. It went by what is stored, of which numbers are thirty times as much
-- as text, and packed rows looked small.

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
    select array_agg(p.id), bool_or(p.is_large) into v_ids, v_are_large
    from (
      select t.id, pg_column_size(t.input_data) > 500 or pg_column_compression(t.input_data) is not null as is_large from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = v_project_id and t.workflow_execution_id = p_execution_id
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

create or replace function private.claim_in_turn(
  p_project_id uuid, p_execution_id uuid, p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- Somebody with thousands of projects that are full or set aside must not make every claim look at all of them, and
  -- hold a lock for each: the next claim goes on where this one ended.
  c_max_turns constant integer := 100;
  c_max_bytes constant integer := 4 * 1024 * 1024;
  v_turns integer := 0;
  v_is_worker boolean := private.is_worker();
  v_last uuid := gen_random_uuid();
  v_start uuid;
  v_projects uuid[];
  v_turn private.project_turn;
  v_tasks jsonb := '[]';
  v_more jsonb;
  v_bytes integer := 0;
begin
  if p_project_id is not null then
    return private.claim_in_project(
      private.project_turn(p_project_id, false), p_execution_id, p_worker_id, p_agent_types, p_limit, p_lease_seconds, true
    );
  end if;
  if not v_is_worker then
    v_projects := array(select private.project_ids('editor'));
  elsif pg_input_is_valid(current_setting('genesis.last_project', true), 'uuid') then
    v_last := current_setting('genesis.last_project', true);
  end if;
  v_start := v_last;
  loop
    v_turn := private.next_turn(p_agent_types, v_projects, v_last, coalesce(v_turn.has_wrapped, false));
    exit when v_turn.project_id is null or (v_turn.has_wrapped and v_turn.project_id > v_start);
    v_more := private.claim_in_project(
      v_turn, null, p_worker_id, p_agent_types, p_limit - jsonb_array_length(v_tasks), p_lease_seconds, false
    );
    v_tasks := v_tasks || v_more;
    -- As it is answered: numbers may be thirty times as long as what is stored.
    v_bytes := v_bytes + octet_length(v_more::text);
    v_last := v_turn.project_id;
    v_turns := v_turns + 1;
    exit when jsonb_array_length(v_tasks) >= p_limit or v_turns = c_max_turns or v_bytes > c_max_bytes;
  end loop;
  if v_is_worker and v_last <> v_start then
    perform set_config('genesis.last_project', v_last::text, false);
  end if;
  return v_tasks;
end
$$;
