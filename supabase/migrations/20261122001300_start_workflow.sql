-- start_workflow: one execution of one version. Set-based: one statement per table, however large the graph.

create function private.start_workflow(p_workflow_id uuid, p_version integer, p_input jsonb, p_idempotency_key text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_workflow public.workflows;
  v_version public.workflow_versions;
  v_execution public.workflow_executions;
  v_input jsonb := coalesce(p_input, '{}');
begin
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id;
  if v_workflow.id is null or private.role_in_project(v_workflow.project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow, or you are not a member of its project.');
  end if;
  perform private.require_role(v_workflow.project_id, 'editor');
  if jsonb_typeof(v_input) <> 'object' then
    perform private.refuse_field('input', 'must be an object');
  end if;
  if octet_length(v_input::text) > 1048576 then
    perform private.refuse('payload_too_large', 'The input is over 1 MiB.');
  end if;

  if p_idempotency_key is not null then
    if char_length(p_idempotency_key) not between 1 and 255 then
      perform private.refuse_field('idempotency_key', 'must have 1 to 255 characters');
    end if;
    -- Two requests with one key take turns here; the second finds what the first made.
    perform pg_advisory_xact_lock(hashtextextended('start:' || p_workflow_id || p_idempotency_key, 0));
    select x.* into v_execution
    from public.workflow_executions as x
    where x.workflow_id = p_workflow_id and x.idempotency_key = p_idempotency_key;
    if v_execution.id is not null then
      if v_execution.input <> v_input or v_execution.version <> coalesce(p_version, v_execution.version) then
        perform private.refuse(
          'idempotency_conflict',
          'This idempotency key was used to start the workflow with another input or version.',
          jsonb_build_object('execution_id', v_execution.id)
        );
      end if;
      return private.start_answer(v_execution.id, true);
    end if;
  end if;

  -- A workflow that was never published is published by its first start; of two first starts the second one waits here
  -- and finds the version of the first.
  if v_workflow.current_version is null and p_version is null then
    select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id for no key update;
  end if;
  if v_workflow.current_version is null and p_version is null then
    v_version := private.publish_workflow(p_workflow_id);
  else
    select v.* into v_version
    from public.workflow_versions as v
    where v.workflow_id = p_workflow_id and v.version = coalesce(p_version, v_workflow.current_version);
    if v_version.id is null then
      perform private.refuse('workflow_version_not_found', format('The workflow has no version %s.', p_version));
    end if;
  end if;

  insert into public.workflow_executions (
    workflow_id, project_id, version_id, version, state, input, idempotency_key, started_by
  )
  values (
    p_workflow_id, v_version.project_id, v_version.id, v_version.version, v_input, v_input, p_idempotency_key, auth.uid()
  )
  returning * into v_execution;

  insert into private.execution_progress (workflow_execution_id, remaining)
  select v_execution.id, count(*) from private.workflow_edges as e
  where e.version_id = v_version.id and e.target_index is null;

  insert into public.agent_tasks (
    workflow_execution_id, project_id, version_id, agent_id, agent_type, node_id, node_index, node_type, priority, status,
    remaining, max_attempts, input_data
  )
  select
    v_execution.id, v_version.project_id, v_version.id, a.id, coalesce(n.agent_type, n.type), n.node_id, n.node_index,
    n.type, n.priority, case when n.is_entry then 'pending' else 'blocked' end, n.incoming, n.max_attempts,
    case
      when not n.is_entry then null
      when n.input is null then v_input
      else private.task_input(v_execution.id, v_version.id, n.node_index)
    end
  from private.workflow_nodes as n
  -- An agent may have been removed since: the task then goes to any worker of its type.
  left join public.agents as a on a.id = n.agent_id
  where n.version_id = v_version.id
  order by n.node_index;

  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  select v_execution.id, v_version.project_id, null, 'execution.started', jsonb_build_object('version', v_version.version)
  union all
  select v_execution.id, v_version.project_id, t.id, 'task.pending', jsonb_build_object('node_id', t.node_id)
  from public.agent_tasks as t
  where t.workflow_execution_id = v_execution.id and t.status = 'pending';

  update public.workflows as w set started_at = now() where w.id = p_workflow_id and w.started_at is null;
  return private.start_answer(v_execution.id, false);
end
$$;

create function private.start_answer(p_execution_id uuid, p_replayed boolean)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_build_object(
    'execution', private.execution_json(p_execution_id),
    'tasks', (
      select coalesce(jsonb_agg(private.task_json(t) order by t.node_index, t.iteration, t.map_index), '[]')
      from public.agent_tasks as t where t.workflow_execution_id = p_execution_id
    ),
    'replayed', p_replayed
  )
$$;

create function public.start_workflow(
  workflow_id uuid, version integer default null, input jsonb default '{}', idempotency_key text default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.start_workflow(
    start_workflow.workflow_id, start_workflow.version, start_workflow.input, start_workflow.idempotency_key
  );
end
$$;
grant execute on function private.start_workflow(uuid, integer, jsonb, text) to authenticated, service_role;
grant execute on function public.start_workflow(uuid, integer, jsonb, text) to authenticated, service_role;
