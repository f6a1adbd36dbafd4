-- An execution that is deleted can tell nothing through its log, which goes with it.
create function private.broadcast_deleted_executions()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.broadcast(
    'project:' || x.project_id, 'executions',
    jsonb_build_object('executions', jsonb_agg(
      jsonb_build_object('id', x.id, 'workflow_id', x.workflow_id, 'type', 'execution.deleted', 'status', null)
    ))
  )
  from old_rows as x
  group by x.project_id;
  return null;
end
$$;
create trigger workflow_executions_broadcast_deleted after delete on public.workflow_executions
referencing old table as old_rows for each statement execute function private.broadcast_deleted_executions();
