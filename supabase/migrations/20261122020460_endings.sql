-- The end of an execution, in whatever way: its open tasks, its state, its event, and what it ran inside of.

-- Cancels the open tasks of an execution (of some nodes, or all) in the order of the graph, and what runs inside them.
create function private.cancel_tasks(p_execution_id uuid, p_nodes integer[])
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_cancelled uuid[];
  v_child_id uuid;
begin
  with open as (
    select t.id from public.agent_tasks as t
    where t.workflow_execution_id = p_execution_id and t.status in ('blocked', 'pending', 'running', 'waiting')
      and (p_nodes is null or t.node_index = any (p_nodes))
    order by t.node_index, t.iteration, t.map_index
    for no key update
  ), closed as (
    update public.agent_tasks as t
    set status = 'cancelled', completed_at = now(), lease_expires_at = null
    from open as o
    where t.id = o.id
    returning t.id
  )
  select array_agg(c.id) into v_cancelled from closed as c;
  for v_child_id in
    select x.id from public.workflow_executions as x
    where x.parent_task_id = any (v_cancelled) and x.status in ('pending', 'running')
    order by x.id
  loop
    perform private.end_execution(v_child_id, 'cancelled', 'The execution it was part of ended.', '{}', true);
  end loop;
  return v_cancelled;
end
$$;

-- Ends an execution: closes its open tasks, folds its state, says so, and tells the task it ran inside of, if any.
create function private.end_execution(p_execution_id uuid, p_status text, p_error_message text, p_data jsonb, p_alone boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution record;
  v_cancelled uuid[];
begin
  select x.status, x.project_id, p.mode into v_execution
  from public.workflow_executions as x
  join private.execution_progress as p on p.workflow_execution_id = x.id
  where x.id = p_execution_id;
  if v_execution.status not in ('pending', 'running') then
    return;
  end if;
  -- Where nothing can be skipped over, what is complete has nothing open.
  if p_status <> 'completed' or v_execution.mode = 'serial' then
    v_cancelled := private.cancel_tasks(p_execution_id, null);
  end if;
  perform private.close_execution(p_execution_id, p_status, p_error_message);
  perform private.add_event(
    p_execution_id, v_execution.project_id, null, 'execution.' || p_status,
    p_data || jsonb_strip_nulls(jsonb_build_object('error', p_error_message)) || private.moved('cancelled', v_cancelled)
  );
  perform private.tell_parent(p_execution_id, p_alone);
end
$$;

-- The row of an execution that ends, after the last write to its tasks: so the fold holds every output.
create function private.close_execution(p_execution_id uuid, p_status text, p_error_message text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.workflow_executions as x
  set status = p_status, completed_at = now(), error_message = p_error_message, state = private.fold_state(p_execution_id)
  where x.id = p_execution_id;
  if exists (
    select from private.execution_progress as p where p.workflow_execution_id = p_execution_id and p.concurrency_limit is not null
  ) then
    delete from private.limited_executions as l where l.workflow_execution_id = p_execution_id;
  end if;
end
$$;
