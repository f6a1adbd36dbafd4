-- Claims that follow each other do not wait for the disk where nothing else is in their transaction. That was seen by the times
-- of statement and transaction, which are the same only where both come in one plain message: a prepared statement begins its
-- transaction when it is bound, some microseconds before. So functions, and the platform's Data API, waited each time. Both
-- say what their transaction is for, as `request.path`, and it holds nothing else.
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
  if (now() = statement_timestamp() or current_setting('request.path', true) = '/rpc/claim_tasks')
    and v_last between now() - interval '20 milliseconds' and clock_timestamp()
  then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  perform set_config('genesis.last_claim', clock_timestamp()::text, false);
end
$$;
