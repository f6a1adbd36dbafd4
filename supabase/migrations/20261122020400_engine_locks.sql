-- Who waits for whom. Every report first takes the execution's lock: shared by reports that cannot get in each other's
-- way, alone for whatever may close tasks that others hold (failures, cancelling, everything in a serial graph). In a
-- graph with conditions, edges are decided under a second lock, one completion at a time. Both are advisory locks of the
-- outermost execution, as what runs inside another may end it. Rows are locked after them, counters last.

create function private.enter_execution(p_root_execution_id uuid, p_alone boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(uuid_hash_extended(p_root_execution_id, 1));
  else
    perform pg_advisory_xact_lock_shared(uuid_hash_extended(p_root_execution_id, 1));
  end if;
end
$$;

create function private.enter_graph(p_root_execution_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(uuid_hash_extended(p_root_execution_id, 2));
end
$$;

-- What a caller does that found out too late that it needs the execution alone: it is rolled back and begins again so.
create function private.require_alone(p_alone boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not p_alone then
    raise exception using errcode = 'GE001', message = 'This step needs the execution alone.';
  end if;
end
$$;
