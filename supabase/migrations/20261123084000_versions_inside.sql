-- A node of type workflow that names its version as a string ("2") was published, and ran the current version instead: the
-- start read numbers only. It reads the version as publishing does.
create or replace function private.start_child(p_task public.agent_tasks)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_depth constant integer := 10;
  v_options jsonb;
  v_version public.workflow_versions;
  v_depth integer;
  v_input jsonb := private.task_input(p_task.workflow_execution_id, p_task.version_id, p_task.node_index);
  v_child_id uuid;
  v_child public.workflow_executions;
begin
  select n.options into v_options
  from private.workflow_nodes as n where n.version_id = p_task.version_id and n.node_index = p_task.node_index;
  select p.depth into v_depth from private.execution_progress as p where p.workflow_execution_id = p_task.workflow_execution_id;
  select v.* into v_version
  from public.workflows as w
  join public.workflow_versions as v on v.workflow_id = w.id
  where w.id = (v_options ->> 'workflow_id')::uuid and w.project_id = p_task.project_id
    and v.version::text = coalesce(v_options ->> 'version', w.current_version::text);
  if v_version.id is null then
    return jsonb_build_object('error', format('The workflow of %s is gone.', p_task.node_id));
  elsif v_depth >= c_max_depth then
    return jsonb_build_object('error', format('Workflows are nested more than %s deep at %s.', c_max_depth, p_task.node_id));
  elsif octet_length(v_input::text) > 1048576 then
    perform private.refuse_large_input(p_task.node_id);
  end if;
  v_child_id := private.create_execution(v_version, v_input, null, p_task.id, null);
  select x.* into v_child from public.workflow_executions as x where x.id = v_child_id;
  if v_child.status = 'failed' then
    return jsonb_build_object('error', v_child.error_message);
  elsif v_child.status = 'completed' and octet_length(v_child.state::text) > 1048576 then
    return jsonb_build_object('error', format('The final state of %s is over 1 MiB.', p_task.node_id));
  end if;
  update public.agent_tasks as t
  set status = case when v_child.status = 'completed' then 'completed' else 'waiting' end, remaining = 0, input_data = v_input,
    started_at = now(), output_data = case when v_child.status = 'completed' then v_child.state end,
    completed_at = case when v_child.status = 'completed' then now() end
  where t.id = p_task.id;
  return jsonb_build_object('status', case when v_child.status = 'completed' then 'completed' else 'waiting' end);
end
$$;
