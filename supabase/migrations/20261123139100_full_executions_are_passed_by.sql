-- A claim passes by the executions that are full at the cost of one look at each of their tasks. It compared every pending task
-- with all of them, once for each task that it took, and counted for each of them alone: with 3,000 full executions in one project
-- a worker's claim of a hundred tasks took three seconds, and with 5,000 longer than a statement may. Claims that name no project
-- come to each of them, so that one person's project ended the work of all others.

create or replace function private.claim_room(
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
  with running as materialized (
    select t.workflow_execution_id as id, count(*) as tasks
    from public.agent_tasks as t
    where t.status = 'running' and t.project_id = p_project_id
    group by t.workflow_execution_id
  )
  select p_limit - coalesce(sum(r.tasks), 0), coalesce(array_agg(r.id) filter (where l.concurrency_limit <= r.tasks), '{}')
  into v_room, v_full
  from running as r
  left join private.limited_executions as l on l.workflow_execution_id = r.id;
end
$$;

create or replace function private.pick_limited_tasks(
  p_project_id uuid, p_execution_id uuid, p_agent_types text[], p_limit integer, p_full uuid[]
)
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- Whoever asks for many of what fills up one by one gets the rest with the next claim.
  c_max_passes constant integer := 10;
  -- As keys, which are found by halving.
  v_full jsonb := coalesce((select jsonb_object_agg(f.id, true) from unnest(p_full) as f (id)), '{}');
  v_filled uuid[];
  v_task record;
  v_ids uuid[] := '{}';
  v_within uuid[] := case when p_execution_id is not null then private.executions_within(p_execution_id) end;
begin
  for v_pass in 1 .. c_max_passes loop
    exit when cardinality(v_ids) >= p_limit;
    v_filled := '{}';
    for v_task in
      select t.id, t.workflow_execution_id
      from public.agent_tasks as t
      where t.status = 'pending' and t.project_id = p_project_id and t.agent_type = any (p_agent_types) and t.available_at <= now()
        and (v_within is null or t.workflow_execution_id = any (v_within))
        and not v_full ? t.workflow_execution_id::text and t.id <> all (v_ids)
      order by t.priority desc, t.available_at
      limit p_limit - cardinality(v_ids)
      for no key update skip locked
    loop
      continue when v_task.workflow_execution_id = any (v_filled);
      v_ids := array_append(v_ids, v_task.id);
      -- Each task taken may fill its execution.
      if exists (
        select from private.limited_executions as l
        where l.workflow_execution_id = v_task.workflow_execution_id and l.concurrency_limit <= (
          select count(*) from public.agent_tasks as t
          where t.workflow_execution_id = l.workflow_execution_id and (t.status = 'running' and t.project_id = p_project_id or t.id = any (v_ids))
        )
      ) then
        v_filled := array_append(v_filled, v_task.workflow_execution_id);
      end if;
    end loop;
    -- What was taken and filled nothing was all there is.
    exit when v_filled = '{}';
    v_full := v_full || (select jsonb_object_agg(f.id, true) from unnest(v_filled) as f (id));
  end loop;
  return v_ids;
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
  -- Nor must those that somebody heaped up work in end it before the place where it was is kept.
  c_max_time constant interval := '3 seconds';
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
    exit when jsonb_array_length(v_tasks) >= p_limit or v_turns = c_max_turns or v_bytes > c_max_bytes
      or clock_timestamp() > statement_timestamp() + c_max_time;
  end loop;
  if v_is_worker and v_last <> v_start then
    perform set_config('genesis.last_project', v_last::text, false);
  end if;
  return v_tasks;
end
$$;
