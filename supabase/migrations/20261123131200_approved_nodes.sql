-- A fork with another input asks its approvals again. It kept them with the rest that was finished: an owner's approval of one
-- input let any editor run what stands behind it with another one, in the owner's name, and one editor alone what had taken two.
-- What an approval inside a workflow inside has let through counts as approved, too. A fork with the input of its source is
-- what it was.

create function private.approved_nodes(p_execution_id uuid)
returns setof integer
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select distinct t.node_index
  from public.agent_tasks as t
  where t.workflow_execution_id = p_execution_id and t.status = 'completed' and (
    t.node_type = 'approval'
    or t.node_type = 'workflow' and exists (
      select
      from public.workflow_executions as x
      cross join lateral private.executions_inside(x.id) as i (id)
      join public.agent_tasks as a on a.workflow_execution_id = i.id
      where x.parent_task_id = t.id and a.node_type = 'approval' and a.status = 'completed'
    )
  );
end
$$;
