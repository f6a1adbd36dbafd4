-- Deleting a workflow takes its executions along, also one that runs inside another: the task that waits for it would wait
-- for ever. It fails instead, as where the workflow was gone before it began. Where the execution around it is deleted by
-- the same statement there is nobody left to tell.

-- The waiting task around an execution that is being deleted; null where anything around it is going as well.
create function private.bereaved_task(p_task_id uuid)
returns public.agent_tasks
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks;
begin
  with recursive around as (
    select t.workflow_execution_id as id from public.agent_tasks as t where t.id = p_task_id
    union all
    select t.workflow_execution_id
    from around as a
    join public.workflow_executions as x on x.id = a.id
    join public.agent_tasks as t on t.id = x.parent_task_id
  )
  select t.* into v_task
  from public.agent_tasks as t
  join public.projects as p on p.id = t.project_id
  where t.id = p_task_id and t.status = 'waiting' and not exists (
    select from around as a
    where not exists (
      select from public.workflow_executions as x
      join public.workflows as w on w.id = x.workflow_id
      where x.id = a.id and (
        x.parent_task_id is null or exists (select from public.agent_tasks as o where o.id = x.parent_task_id)
      )
    )
  );
  return v_task;
end
$$;

-- What follows wants the execution around it alone. A report that holds it may come to wait for a row that the deletion
-- has locked, so the deletion does not wait in turn: it is refused, and can be tried again.
create function private.enter_around(p_task_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock(uuid_hash_extended((
    select p.root_execution_id
    from public.agent_tasks as t
    join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
    where t.id = p_task_id
  ), 1)) then
    raise exception using
      errcode = 'lock_not_available', message = 'A report about what this workflow runs inside of is under way; try again.';
  end if;
end
$$;

-- Before anything is locked that reports want. Not where the project goes as well, which waits for whoever is busy there.
create function private.enter_before_deletion()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.enter_around(x.parent_task_id)
  from public.workflow_executions as x
  where x.workflow_id = old.id and x.parent_task_id is not null and x.status in ('pending', 'running')
    and exists (select from public.projects as p where p.id = old.project_id);
  return old;
end
$$;

create function private.fail_bereaved_task()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks := private.bereaved_task(old.parent_task_id);
begin
  if v_task.id is not null then
    perform private.enter_around(v_task.id);
    -- Nobody is there to be refused what comes of it.
    perform private.give_up_or_end(v_task, format('The workflow of %s is gone.', v_task.node_id), '{}');
  end if;
  return null;
end
$$;

create trigger workflows_enter_before_deletion before delete on public.workflows
for each row execute function private.enter_before_deletion();
create trigger workflow_executions_fail_bereaved_task after delete on public.workflow_executions
for each row when (old.parent_task_id is not null and old.status in ('pending', 'running'))
execute function private.fail_bereaved_task();
