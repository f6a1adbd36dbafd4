-- What runs inside an execution is tried again in the order of the graph. It was in that of random ids: of two that failed
-- again at once either could end the other.
create or replace function private.reopen_execution(p_execution_id uuid, p_reason text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_moved jsonb;
  v_project_id uuid;
  v_version_id uuid;
  v_done uuid[];
  v_ready uuid[];
  v_outcome jsonb;
  v_child_id uuid;
begin
  update public.workflow_executions as x
  set status = 'running', completed_at = null, error_message = null, state = x.input
  where x.id = p_execution_id
  returning x.project_id, x.version_id into v_project_id, v_version_id;
  insert into private.limited_executions (workflow_execution_id, project_id, concurrency_limit)
  select x.id, x.project_id, g.concurrency_limit
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id and g.concurrency_limit is not null;
  v_moved := private.reopen_tasks(p_execution_id);
  -- A loop that ran out gets its turns anew; a map or workflow that failed before it had begun is tried again at once.
  with spent as (
    update private.execution_loops as l set granted = l.taken, has_run_out = false
    from private.workflow_edges as e
    where l.workflow_execution_id = p_execution_id and l.has_run_out and e.version_id = v_version_id and e.edge_index = l.edge_index
    returning e.source_index
  )
  select coalesce(array_agg(distinct t.id), '{}') into v_done
  from spent as s
  join public.agent_tasks as t on t.workflow_execution_id = p_execution_id and t.node_index = s.source_index
  where t.status in ('completed', 'failed') and private.is_current(t);
  v_ready := array(
    select t.id from public.agent_tasks as t
    where t.id in (select m::uuid from jsonb_array_elements_text(v_moved -> 'blocked') as m)
      and t.node_type in ('map', 'workflow') and t.remaining = 0
    order by t.node_index
  );
  v_outcome := private.settle(p_execution_id, v_done, v_ready, false, true);
  perform private.add_event(
    p_execution_id, v_project_id, null, 'execution.retried',
    private.merge_moved(v_moved, v_outcome -> 'moved')
      || jsonb_strip_nulls(jsonb_build_object('reason', p_reason, 'user_id', auth.uid()))
  );
  if v_outcome ->> 'end' is not null then
    perform private.end_execution(p_execution_id, v_outcome ->> 'end', v_outcome ->> 'error', '{}', true);
  end if;

  -- Last, what runs inside: one that fails again at once ends this execution and with it the others.
  for v_child_id in
    select x.id from public.workflow_executions as x
    join public.agent_tasks as t on t.id = x.parent_task_id
    where x.status in ('failed', 'cancelled') and t.id in (
      select m::uuid from jsonb_array_elements_text(v_moved -> 'waiting') as m
    )
    order by t.node_index
  loop
    exit when (select x.status from public.workflow_executions as x where x.id = p_execution_id) <> 'running';
    perform private.reopen_execution(v_child_id, null);
  end loop;
end
$$;
