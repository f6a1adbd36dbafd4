-- A claim may be lost by a crash without any harm: the task is pending again, and what its worker reports under the lost
-- lease is refused. So a connection that claims one task after another does not wait for the disk each time: the next
-- report of anybody, which does, writes its claims too. A lone claim still waits, as Realtime only tells what is written:
-- left to the server's own clock that takes a fifth of a second.

-- Lets the claim that this statement makes commit without waiting, where the one before it on this connection was a
-- moment ago, and where nothing else commits with it: the statement is the transaction.
create function private.hurry_claim()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_last timestamptz := nullif(current_setting('genesis.last_claim', true), '')::timestamptz;
begin
  if now() = statement_timestamp() and now() - v_last < interval '20 milliseconds' then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  perform set_config('genesis.last_claim', clock_timestamp()::text, false);
end
$$;

alter function private.claim_tasks(text, text[], integer, integer, uuid, uuid) rename to claim_or_reclaim;
revoke execute on function private.claim_or_reclaim(text, text[], integer, integer, uuid, uuid) from authenticated, service_role;

create function private.claim_tasks(
  p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer, p_project_id uuid, p_execution_id uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_answer jsonb := private.claim_or_reclaim(
    p_worker_id, p_agent_types, p_limit, p_lease_seconds, p_project_id, p_execution_id
  );
begin
  perform private.hurry_claim();
  return v_answer;
end
$$;
grant execute on function private.claim_tasks(text, text[], integer, integer, uuid, uuid) to authenticated, service_role;
