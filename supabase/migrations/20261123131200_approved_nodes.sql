-- A fork with another input asks its approvals again. It kept them with the rest that was finished: an owner's approval of one
-- input let any editor run what stands behind it with another one, in the owner's name, and one editor alone what had taken two.
-- What an approval inside a workflow inside has let through counts as approved, too. A fork with the input of its source is
-- what it was.

-- The nodes whose tasks people have let through: in this execution, or, of a workflow inside that was kept, where it ran.
create function private.approved_nodes(p_execution_id uuid)
returns setof integer
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  with recursive line as (
    select x.id, x.forked_from from public.workflow_executions as x where x.id = p_execution_id
    union all
    select x.id, x.forked_from from line as l join public.workflow_executions as x on x.id = l.forked_from
  )
  select distinct t.node_index
  from public.agent_tasks as t
  where t.workflow_execution_id = p_execution_id and t.status = 'completed' and (
    t.node_type = 'approval'
    or t.node_type = 'workflow' and exists (
      select
      from line as l
      join public.agent_tasks as s on s.workflow_execution_id = l.id and s.node_index = t.node_index
      join public.workflow_executions as x on x.parent_task_id = s.id
      cross join lateral private.executions_inside(x.id) as i (id)
      join public.agent_tasks as a on a.workflow_execution_id = i.id
      where a.node_type = 'approval' and a.status = 'completed'
    )
  );
end
$$;
