-- A turn of a loop around a map read the elements of all turns before, to close those that are open: a hundred thousand took
-- longer than all the rest of it. Only the latest turn of a node can have open tasks, as each turn closes the one before.
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
      where t.id = any (array(
        select l.id
        from unnest(p_nodes) as b (node_index)
        -- offset 0: each node's latest turn is looked up by the index, whatever the statistics say.
        cross join lateral (
          select c.iteration from public.agent_tasks as c
          where c.workflow_execution_id = p_execution_id and c.node_index = b.node_index and c.map_index is null
          order by c.iteration desc
          limit 1
        ) as latest
        cross join lateral (
          select o.id from public.agent_tasks as o
          where o.workflow_execution_id = p_execution_id and o.node_index = b.node_index and o.iteration = latest.iteration
            and o.status in ('blocked', 'pending', 'running', 'waiting')
          offset 0
        ) as l
      )) and t.status in ('blocked', 'pending', 'running', 'waiting')
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
