-- A fork keeps decided approvals as they were decided: by whom, so that saying the same again is answered again there too.
alter function private.fork_execution(uuid, text, jsonb) rename to fork_tasks;
revoke execute on function private.fork_tasks(uuid, text, jsonb) from authenticated, service_role;

create function private.fork_execution(p_execution_id uuid, p_from_node text, p_input jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_answer jsonb := private.fork_tasks(p_execution_id, p_from_node, p_input);
begin
  insert into public.task_decisions (task_id, project_id, user_id, decision, comment, created_at)
  select k.id, d.project_id, d.user_id, d.decision, d.comment, d.created_at
  from public.task_decisions as d
  join public.agent_tasks as t on t.id = d.task_id
  join public.agent_tasks as k
    on k.workflow_execution_id = (v_answer #>> '{execution,id}')::uuid and k.node_index = t.node_index
      and k.iteration = t.iteration and k.map_index is null
  where t.workflow_execution_id = p_execution_id and t.status = 'completed' and k.status = 'completed'
  order by d.created_at, d.id;
  return v_answer;
end
$$;
grant execute on function private.fork_execution(uuid, text, jsonb) to authenticated, service_role;
