-- Where a claim left off is remembered by the connection, which functions share between people and workers: a person who
-- claimed in between led the workers back to the same projects again and again. Only workers keep it and follow it now;
-- a person's claim begins anywhere. And what somebody else left in such a setting stops no claim.
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
  v_turns integer := 0;
  v_is_worker boolean := private.is_worker();
  v_last uuid := gen_random_uuid();
  v_start uuid;
  v_projects uuid[];
  v_turn private.project_turn;
  v_tasks jsonb := '[]';
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
    v_tasks := v_tasks || private.claim_in_project(
      v_turn, null, p_worker_id, p_agent_types, p_limit - jsonb_array_length(v_tasks), p_lease_seconds, false
    );
    v_last := v_turn.project_id;
    v_turns := v_turns + 1;
    exit when jsonb_array_length(v_tasks) >= p_limit or v_turns = c_max_turns;
  end loop;
  if v_is_worker and v_last <> v_start then
    perform set_config('genesis.last_project', v_last::text, false);
  end if;
  return v_tasks;
end
$$;

create or replace function private.hurry_claim()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_last timestamptz;
begin
  if pg_input_is_valid(current_setting('genesis.last_claim', true), 'timestamptz') then
    v_last := current_setting('genesis.last_claim', true);
  end if;
  if now() = statement_timestamp() and v_last between now() - interval '20 milliseconds' and clock_timestamp() then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  perform set_config('genesis.last_claim', clock_timestamp()::text, false);
end
$$;
