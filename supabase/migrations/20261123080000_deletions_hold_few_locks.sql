-- Deleting a workflow took a lock for every execution around one of its own, and all of the database shares the room for
-- locks: with some ten thousand, everybody else's statements failed with "out of shared memory" as long as it lasted.
-- Like every other statement it holds a hundred or so now, and is refused where there are more.

create or replace function private.enter_before_deletion()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_locks constant integer := 100;
begin
  perform private.enter_around(a.parent_task_id)
  from (
    select distinct on (p.root_execution_id) x.parent_task_id
    from public.workflow_executions as x
    join private.execution_progress as p on p.workflow_execution_id = x.id
    where x.workflow_id = old.id and x.parent_task_id is not null and x.status in ('pending', 'running')
      and exists (select from public.projects as o where o.id = old.project_id)
    order by p.root_execution_id
    limit c_max_locks + 1
  ) as a;
  -- One statement may delete many workflows.
  if found and (
    select count(*) from pg_catalog.pg_locks as l where l.locktype = 'advisory' and l.pid = pg_backend_pid()
  ) > c_max_locks then
    perform private.refuse(
      'execution_still_running',
      format('More than %s executions are at work in which this runs inside: cancel them, or wait for their end.', c_max_locks)
    );
  end if;
  return old;
end
$$;
