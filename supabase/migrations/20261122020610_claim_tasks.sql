-- Claiming in turns: who asks for work is led from project to project, so that a project with ten thousand tasks does not
-- keep one with ten waiting; inside a project it is priority, then age. Limits on how much may run at once are kept here.

-- A project with a task for these workers, as a claim needs to know it: the next one after the last, or from the first
-- on where there is none behind. p_projects null: any.
create type private.project_turn as (
  project_id uuid, has_wrapped boolean, is_active boolean, concurrency_limit integer, has_limited_executions boolean
);
create function private.project_turn(p_project_id uuid, p_has_wrapped boolean)
returns private.project_turn
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_turn private.project_turn;
begin
  select
    p.id, p_has_wrapped, p.status = 'active',
    case when jsonb_typeof(p.settings -> 'concurrency_limit') = 'number' then
      trunc(least(greatest((p.settings ->> 'concurrency_limit')::numeric, 0), 1000000))::integer
    end,
    exists (select from private.limited_executions as l where l.project_id = p.id)
  into v_turn
  from public.projects as p where p.id = p_project_id;
  return v_turn;
end
$$;

create function private.next_turn(p_agent_types text[], p_projects uuid[], p_after uuid, p_has_wrapped boolean)
returns private.project_turn
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_before_all constant uuid := '00000000-0000-0000-0000-000000000000';
  v_next record;
begin
  -- The second half is read only where the first finds nothing.
  if p_projects is null then
    select n.* into v_next
    from (
      (
        select t.project_id, false as has_wrapped from public.agent_tasks as t
        where t.status = 'pending' and t.project_id > p_after and t.agent_type = any (p_agent_types) and t.available_at <= now()
        order by t.project_id
        limit 1
      )
      union all
      (
        select t.project_id, true from public.agent_tasks as t
        where t.status = 'pending' and t.project_id > c_before_all and t.agent_type = any (p_agent_types) and t.available_at <= now()
          and not p_has_wrapped
        order by t.project_id
        limit 1
      )
    ) as n
    limit 1;
  else
    select p.id as project_id, p.id <= p_after as has_wrapped into v_next
    from unnest(p_projects) as p (id)
    where (p.id > p_after or not p_has_wrapped) and exists (
      select from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = p.id and t.agent_type = any (p_agent_types) and t.available_at <= now()
    )
    order by p.id <= p_after, p.id
    limit 1;
  end if;
  if v_next.project_id is null then
    return null;
  end if;
  return private.project_turn(v_next.project_id, p_has_wrapped or v_next.has_wrapped);
end
$$;

-- How many more tasks of a project may run, and which of its executions are full. Who asks holds the project's turn
-- until the claim commits, so that two claims do not both take the last place. A claim that goes from project to project
-- does not wait for a turn, or two of them could wait for each other: what another is claiming from has no room.
create function private.claim_room(
  p_project_id uuid, p_limit integer, p_waits boolean, out v_room integer, out v_full uuid[]
)
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if p_waits then
    perform pg_advisory_xact_lock(uuid_hash_extended(p_project_id, 3));
  elsif not pg_try_advisory_xact_lock(uuid_hash_extended(p_project_id, 3)) then
    v_room := 0;
    return;
  end if;
  select p_limit - count(*) into v_room
  from public.agent_tasks as t where t.status = 'running' and t.project_id = p_project_id;
  v_full := array(
    select l.workflow_execution_id from private.limited_executions as l
    where l.project_id = p_project_id and l.concurrency_limit <= (
      select count(*) from public.agent_tasks as t
      where t.status = 'running' and t.project_id = p_project_id and t.workflow_execution_id = l.workflow_execution_id
    )
  );
end
$$;

-- Leases up to p_limit tasks of one project to a worker.
create function private.claim_in_project(
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
  v_tasks jsonb;
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
    v_ids := array(
      select t.id from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = v_project_id and t.agent_type = any (p_agent_types) and t.available_at <= now()
      order by t.priority desc, t.available_at
      limit p_limit
      for no key update skip locked
    );
  else
    v_ids := array(
      select t.id from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = v_project_id and t.workflow_execution_id = p_execution_id
        and t.agent_type = any (p_agent_types) and t.available_at <= now()
      order by t.priority desc, t.available_at
      limit p_limit
      for no key update skip locked
    );
  end if;
  if v_ids = '{}' then
    return '[]';
  end if;

  with leased as materialized (
    select x.id, gen_random_uuid() as token from unnest(v_ids) as x (id)
  ), claimed as (
    update public.agent_tasks as t
    set status = 'running', worker_id = p_worker_id, attempt = t.attempt + 1, started_at = now(), report_digest = null,
      error_message = null, lease_digest = sha256(uuid_send(l.token)),
      lease_expires_at = now() + make_interval(secs => least(p_lease_seconds, coalesce(t.timeout_seconds, p_lease_seconds)))
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

-- The same choice where executions bound how much of them may run: full ones are passed over, and of the others no more
-- is taken than they have room for.
create function private.pick_limited_tasks(
  p_project_id uuid, p_execution_id uuid, p_agent_types text[], p_limit integer, p_full uuid[]
)
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task record;
  v_full uuid[] := p_full;
  v_ids uuid[] := '{}';
begin
  -- One at a time, as each task taken may fill its execution.
  while cardinality(v_ids) < p_limit loop
    select t.id, t.workflow_execution_id into v_task
    from public.agent_tasks as t
    where t.status = 'pending' and t.project_id = p_project_id and t.agent_type = any (p_agent_types) and t.available_at <= now()
      and (p_execution_id is null or t.workflow_execution_id = p_execution_id)
      and t.workflow_execution_id <> all (v_full) and t.id <> all (v_ids)
    order by t.priority desc, t.available_at
    limit 1
    for no key update skip locked;
    exit when v_task.id is null;
    v_ids := array_append(v_ids, v_task.id);
    if exists (
      select from private.limited_executions as l
      where l.workflow_execution_id = v_task.workflow_execution_id and l.concurrency_limit <= (
        select count(*) from public.agent_tasks as t
        where t.workflow_execution_id = l.workflow_execution_id and (t.status = 'running' and t.project_id = p_project_id or t.id = any (v_ids))
      )
    ) then
      v_full := array_append(v_full, v_task.workflow_execution_id);
    end if;
  end loop;
  return v_ids;
end
$$;

-- Its plans (and those of all it calls) are made once and go by the indexes, whatever the statistics of the moment say: a
-- queue's tables are empty at one analyze and huge at the next.
create or replace function private.claim_tasks(
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
    perform private.require_role(v_project_id, 'editor');
  end if;

  v_tasks := private.claim_in_turn(v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit, p_lease_seconds);
  -- Nothing has to run in the background: who finds too little to do takes back what dead workers hold, and so does one
  -- busy claim in sixteen.
  if (jsonb_array_length(v_tasks) < p_limit or random() < 0.0625)
    and exists (select from public.agent_tasks as t where t.status = 'running' and t.lease_expires_at < now())
  then
    perform private.reclaim_tasks();
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
  return jsonb_build_object('tasks', v_tasks);
end
$$;

-- Leases tasks of the one project given, or of every project that the caller may work for, in turn. Where the turn is
-- remembered is the connection: exact turns for each, and nothing shared to wait for.
create function private.claim_in_turn(
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
  v_turns integer := 0;
  v_last uuid := coalesce(nullif(current_setting('genesis.last_project', true), '')::uuid, gen_random_uuid());
  v_start uuid := v_last;
  v_projects uuid[];
  v_turn private.project_turn;
  v_tasks jsonb := '[]';
begin
  if p_project_id is not null then
    return private.claim_in_project(
      private.project_turn(p_project_id, false), p_execution_id, p_worker_id, p_agent_types, p_limit, p_lease_seconds, true
    );
  end if;
  if not private.is_worker() then
    v_projects := array(select private.project_ids('editor'));
  end if;
  loop
    v_turn := private.next_turn(p_agent_types, v_projects, v_last, coalesce(v_turn.has_wrapped, false));
    exit when v_turn.project_id is null or (v_turn.has_wrapped and v_turn.project_id > v_start);
    v_tasks := v_tasks || private.claim_in_project(
      v_turn, null, p_worker_id, p_agent_types, p_limit - jsonb_array_length(v_tasks), p_lease_seconds, false
    );
    v_last := v_turn.project_id;
    v_turns := v_turns + 1;
    exit when jsonb_array_length(v_tasks) >= p_limit or v_turns = c_max_turns;
  end loop;
  if v_last <> v_start then
    perform set_config('genesis.last_project', v_last::text, false);
  end if;
  return v_tasks;
end
$$;
