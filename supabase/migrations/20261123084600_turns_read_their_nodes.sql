-- A turn of a loop read every task that its execution has, to close those of its body that are open: with each turn more of
-- them. With a condition that may be absent no plan goes by the nodes.
create or replace function private.cancel_tasks(p_execution_id uuid, p_nodes integer[])
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_open uuid[];
  v_cancelled uuid[];
  v_child_id uuid;
begin
  if p_nodes is null then
    v_open := array(
      select t.id from public.agent_tasks as t
      where t.workflow_execution_id = p_execution_id and t.status in ('blocked', 'pending', 'running', 'waiting')
      order by t.node_index, t.iteration, t.map_index
      for no key update
    );
  else
    v_open := array(
      select t.id from public.agent_tasks as t
      where t.workflow_execution_id = p_execution_id and t.node_index = any (p_nodes)
        and t.status in ('blocked', 'pending', 'running', 'waiting')
      order by t.node_index, t.iteration, t.map_index
      for no key update
    );
  end if;
  with closed as (
    update public.agent_tasks as t
    set status = 'cancelled', completed_at = now(), lease_expires_at = null
    where t.id = any (v_open)
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
