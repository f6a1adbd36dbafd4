-- start_workflow on the whole engine. Set-based: one statement per table, however large the graph.

-- Inserts an execution of a version with its tasks and sets going what the start leads to.
create function private.create_execution(
  p_version public.workflow_versions, p_input jsonb, p_idempotency_key text, p_parent_task_id uuid, p_forked_from uuid
)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_graph private.workflow_graphs;
  v_execution_id uuid;
  v_pending uuid[];
  v_too_large text;
  v_outcome jsonb;
begin
  insert into public.workflow_executions (
    workflow_id, project_id, version_id, version, state, input, idempotency_key, started_by, parent_task_id, forked_from
  )
  values (
    p_version.workflow_id, p_version.project_id, p_version.id, p_version.version, p_input, p_input, p_idempotency_key,
    -- What runs inside another was started by whoever started that: whose claim or report set it going may be a stranger.
    case
      when p_parent_task_id is null then auth.uid()
      else (
        select x.started_by from public.agent_tasks as t join public.workflow_executions as x on x.id = t.workflow_execution_id
        where t.id = p_parent_task_id
      )
    end,
    p_parent_task_id, p_forked_from
  )
  returning id into v_execution_id;
  v_graph := private.prepare_execution(v_execution_id, p_version, p_parent_task_id);

  with added as (
    insert into public.agent_tasks (
      workflow_execution_id, project_id, version_id, agent_id, agent_type, node_id, node_index, node_type, priority, status,
      remaining, has_live_edge, max_attempts, timeout_seconds, available_at, input_data, fold_order
    )
    select
      v_execution_id, p_version.project_id, p_version.id, a.id, coalesce(n.agent_type, n.type), n.node_id, n.node_index,
      n.type, n.priority, case when n.is_entry then 'pending' else 'blocked' end,
      case when v_graph.mode = 'plain' and n.shards > 0 then n.shards else n.incoming end, n.is_entry, n.max_attempts, n.timeout_seconds,
      case when n.delay_seconds = 0 then now() else now() + make_interval(secs => n.delay_seconds) end,
      case when n.is_entry and n.input is null then p_input when n.is_entry then private.read_mapping(n.input, (select private.fold_state(v_execution_id))) end,
      case when n.loops <> '{}' then private.fold_order(v_execution_id, p_version.id, n.loops, n.node_index) end
    from private.workflow_nodes as n
    -- An agent may have been removed since: the task then goes to any worker of its type.
    left join public.agents as a on a.id = n.agent_id
    where n.version_id = p_version.id
    order by n.node_index
    returning id, status, node_id, pg_column_size(input_data) > 131072 and octet_length(input_data::text) > 1048576 as is_large
  )
  select array_agg(a.id) filter (where a.status = 'pending'), min(a.node_id) filter (where a.is_large)
  into v_pending, v_too_large
  from added as a;
  if v_too_large is not null then
    perform private.refuse_large_input(v_too_large);
  end if;

  if v_graph.mode = 'plain' then
    v_outcome := jsonb_build_object('moved', private.moved('pending', v_pending));
  else
    v_outcome := private.settle(v_execution_id, '{}', '{}', true, true);
    v_outcome := v_outcome || jsonb_build_object(
      'moved', private.merge_moved(private.moved('pending', v_pending), v_outcome -> 'moved')
    );
  end if;
  perform private.add_event(
    v_execution_id, p_version.project_id, null, 'execution.started',
    jsonb_build_object('version', p_version.version) || (v_outcome -> 'moved')
  );
  if v_outcome ->> 'end' is not null then
    perform private.end_execution(v_execution_id, v_outcome ->> 'end', v_outcome ->> 'error', '{}', true);
  end if;
  return v_execution_id;
end
$$;

-- What an execution needs beside its tasks: counters, its place among executions, its limit. Answers the graph as it runs
-- here.
create function private.prepare_execution(p_execution_id uuid, p_version public.workflow_versions, p_parent_task_id uuid)
returns private.workflow_graphs
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_graph private.workflow_graphs;
  v_parent private.execution_progress;
begin
  select g.* into v_graph from private.workflow_graphs as g where g.version_id = p_version.id;
  if p_parent_task_id is not null then
    select p.* into v_parent
    from public.agent_tasks as t
    join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
    where t.id = p_parent_task_id;
  end if;
  -- What runs inside a serial execution takes turns with it, whatever its own graph: ending it may close tasks there.
  if v_parent.mode = 'serial' then
    v_graph.mode := 'serial';
  end if;
  if v_graph.mode <> 'plain' then
    v_graph.end_shards := 0;
  end if;
  insert into private.execution_progress (workflow_execution_id, remaining, root_execution_id, mode, depth, concurrency_limit)
  values (
    p_execution_id, case when v_graph.end_shards > 0 then v_graph.end_shards else v_graph.end_edges end,
    coalesce(v_parent.root_execution_id, p_execution_id), v_graph.mode, coalesce(v_parent.depth + 1, 0),
    v_graph.concurrency_limit
  );
  if v_graph.mode = 'plain' then
    insert into private.countdowns (workflow_execution_id, node_index, shard, remaining)
    select p_execution_id, n.node_index, 0, n.incoming
    from private.workflow_nodes as n where n.version_id = p_version.id and n.shards = 1
    union all
    select p_execution_id, n.node_index, s, (n.incoming - s + n.shards) / n.shards
    from private.workflow_nodes as n cross join lateral generate_series(1, n.shards) as s
    where n.version_id = p_version.id and n.shards > 1
    union all
    select p_execution_id, -1, s, (v_graph.end_edges - s + v_graph.end_shards) / v_graph.end_shards
    from generate_series(1, v_graph.end_shards) as s;
  end if;
  if v_graph.concurrency_limit is not null then
    insert into private.limited_executions (workflow_execution_id, project_id, concurrency_limit)
    values (p_execution_id, p_version.project_id, v_graph.concurrency_limit);
  end if;
  return v_graph;
end
$$;

create or replace function private.start_workflow(p_workflow_id uuid, p_version integer, p_input jsonb, p_idempotency_key text)
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
    v_workflow := private.lock_workflow(p_workflow_id);
  end if;
  if v_workflow.current_version is null and p_version is null then
    v_version := private.add_version(v_workflow, v_workflow.definition, null);
  else
    select v.* into v_version
    from public.workflow_versions as v
    where v.workflow_id = p_workflow_id and v.version = coalesce(p_version, v_workflow.current_version);
    if v_version.id is null then
      perform private.refuse('workflow_version_not_found', format('The workflow has no version %s.', p_version));
    end if;
  end if;

  v_execution.id := private.create_execution(v_version, v_input, p_idempotency_key, null, null);
  if v_workflow.started_at is null then
    update public.workflows as w set started_at = now() where w.id = p_workflow_id and w.started_at is null;
  end if;
  return private.start_answer(v_execution.id, false);
end
$$;

-- The answer holds the first hundred tasks in the order of the graph, so that it does not grow with it: execution_state
-- has them all.
create or replace function private.start_answer(p_execution_id uuid, p_replayed boolean)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'execution', private.execution_json(p_execution_id), 'tasks', private.tasks_json(p_execution_id, 100), 'replayed', p_replayed
  );
end
$$;

create function private.tasks_json(p_execution_id uuid, p_limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(private.task_json(x) order by x.node_index, x.iteration, x.map_index), '[]')
    from (
      select t.* from public.agent_tasks as t
      where t.workflow_execution_id = p_execution_id
      order by t.node_index, t.iteration, t.map_index
      limit p_limit
    ) as x
  );
end
$$;
