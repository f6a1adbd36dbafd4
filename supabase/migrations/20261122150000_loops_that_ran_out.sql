-- A retry gives turns anew to loops that failed the execution for want of them. One that had taken all it may, in an
-- execution that failed of something else, was given more as well: which of the two it was is written down now.

alter table private.execution_loops add column has_run_out boolean not null default false;

update private.execution_loops as l set has_run_out = true
from public.workflow_executions as x
join private.workflow_edges as e on e.version_id = x.version_id
where x.id = l.workflow_execution_id and x.status = 'failed' and e.edge_index = l.edge_index and e.loop_on_exhausted = 'fail'
  and not l.is_ended and l.taken >= e.loop_max_iterations + l.granted;

-- The source of loops is resolved: the first of its loop edges that is live and not used up is taken, else all have ended.
create or replace function private.turn_loops(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_edge private.workflow_edges;
  v_state jsonb;
  v_taken integer;
  v_granted integer;
  v_is_ended boolean;
  v_ended integer[] := '{}';
begin
  for v_edge in
    select e.* from private.workflow_edges as e
    where e.version_id = p_task.version_id and e.source_index = p_task.node_index and e.loop_max_iterations is not null
    order by e.edge_index
  loop
    select l.taken, l.granted, l.is_ended into v_taken, v_granted, v_is_ended from private.execution_loops as l
    where l.workflow_execution_id = p_task.workflow_execution_id and l.edge_index = v_edge.edge_index;
    continue when v_is_ended;
    v_ended := array_append(v_ended, v_edge.edge_index);
    continue when p_task.status not in ('completed', 'failed');
    continue when v_edge.label is not null and v_edge.label is distinct from p_task.label;
    continue when v_edge.label is null and v_edge.predicate is null and p_task.node_type = 'approval'
      and p_task.label is distinct from 'approved';
    if v_edge.predicate is not null then
      v_state := coalesce(v_state, private.fold_state(p_task.workflow_execution_id));
      continue when not private.holds(v_state, v_edge.predicate);
    end if;
    if coalesce(v_taken, 0) < v_edge.loop_max_iterations + coalesce(v_granted, 0) then
      return private.fire_loop(p_task.workflow_execution_id, v_edge);
    elsif v_edge.loop_on_exhausted = 'fail' then
      update private.execution_loops as l set has_run_out = true
      where l.workflow_execution_id = p_task.workflow_execution_id and l.edge_index = v_edge.edge_index;
      return jsonb_build_object('error', format(
        'The loop from %s ran out after %s turns.', p_task.node_id, v_edge.loop_max_iterations
      ));
    end if;
  end loop;
  insert into private.execution_loops (workflow_execution_id, edge_index, is_ended)
  select p_task.workflow_execution_id, x, true from unnest(v_ended) as x
  on conflict (workflow_execution_id, edge_index) do update set is_ended = true;
  return jsonb_build_object('ended', to_jsonb(v_ended));
end
$$;

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
    where x.status in ('failed', 'cancelled') and x.parent_task_id in (
      select m::uuid from jsonb_array_elements_text(v_moved -> 'waiting') as m
    )
    order by x.id
  loop
    exit when (select x.status from public.workflow_executions as x where x.id = p_execution_id) <> 'running';
    perform private.reopen_execution(v_child_id, null);
  end loop;
end
$$;
