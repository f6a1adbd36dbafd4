-- publish_workflow and roll_back_workflow: versions, which never change.

-- Writes a definition down as the next version and compiles it.
create function private.add_version(p_workflow public.workflows, p_definition jsonb, p_source_version integer)
returns public.workflow_versions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_graph jsonb := private.compile_definition(p_workflow.project_id, p_definition);
  v_version public.workflow_versions;
begin
  if v_graph -> 'faults' <> '[]' then
    perform private.refuse(
      'workflow_invalid',
      format('The workflow has %s fault(s): see details.', jsonb_array_length(v_graph -> 'faults')),
      jsonb_build_object('faults', v_graph -> 'faults')
    );
  end if;

  insert into public.workflow_versions (workflow_id, project_id, version, definition, warnings, source_version, created_by)
  values (
    p_workflow.id, p_workflow.project_id, coalesce(p_workflow.current_version, 0) + 1, p_definition,
    v_graph -> 'warnings', p_source_version, auth.uid()
  )
  returning * into v_version;

  insert into private.workflow_graphs (version_id, mode, end_edges, end_shards, concurrency_limit, reducers, has_predicates)
  select v_version.id, g.mode, g.end_edges, g.end_shards, g.concurrency_limit, g.reducers, g.has_predicates
  from jsonb_populate_record(null::private.workflow_graphs, v_graph) as g;

  insert into private.workflow_nodes (
    version_id, node_index, node_id, type, agent_type, agent_id, incoming, is_entry, join_mode, input, max_attempts,
    backoff_seconds, timeout_seconds, priority, options, unlocks, counts, count_shards, shards, on_failure, delay_seconds,
    has_labels, loops
  )
  select v_version.id, n.node_index, n.node_id, n.type, n.agent_type, n.agent_id, n.incoming, n.is_entry, n.join_mode, n.input,
    n.max_attempts, n.backoff_seconds, n.timeout_seconds, n.priority, n.options, n.unlocks, n.counts, n.count_shards, n.shards,
    n.on_failure, n.delay_seconds, n.has_labels, n.loops
  from jsonb_populate_recordset(null::private.workflow_nodes, v_graph -> 'nodes') as n;

  insert into private.workflow_edges (
    version_id, edge_index, source_index, target_index, label, predicate, loop_max_iterations, loop_on_exhausted, loop_body,
    gates, is_recorded
  )
  select v_version.id, e.edge_index, e.source_index, e.target_index, e.label, e.predicate, e.loop_max_iterations,
    e.loop_on_exhausted, e.loop_body, e.gates, e.is_recorded
  from jsonb_populate_recordset(null::private.workflow_edges, v_graph -> 'edges') as e;

  update public.workflows as w set current_version = v_version.version, status = 'active' where w.id = p_workflow.id;
  return v_version;
end
$$;

-- The workflow of an operation of editors, locked so that two publishers take turns; nobody else gets at the lock.
create function private.lock_workflow(p_workflow_id uuid)
returns public.workflows
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
  v_workflow public.workflows;
begin
  select w.project_id into v_project_id from public.workflows as w where w.id = p_workflow_id;
  if v_project_id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow, or you are not a member of its project.');
  end if;
  perform private.require_role(v_project_id, 'editor');
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id for no key update;
  if v_workflow.id is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow any more.');
  end if;
  return v_workflow;
end
$$;

-- Freezes the draft as the next immutable version.
drop function private.publish_workflow(uuid);
create function private.publish_workflow(p_workflow_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_workflow public.workflows := private.lock_workflow(p_workflow_id);
  v_version public.workflow_versions := private.add_version(v_workflow, v_workflow.definition, null);
begin
  return jsonb_build_object('version', v_version.version, 'warnings', v_version.warnings);
end
$$;

-- Makes an older version current again, as a new version that names its source. It is checked anew: agents or agent
-- types it needs may be gone.
create function private.roll_back_workflow(p_workflow_id uuid, p_to_version integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_workflow public.workflows := private.lock_workflow(p_workflow_id);
  v_source public.workflow_versions;
  v_version public.workflow_versions;
begin
  select v.* into v_source from public.workflow_versions as v
  where v.workflow_id = p_workflow_id and v.version = p_to_version;
  if v_source.id is null then
    perform private.refuse('workflow_version_not_found', format('The workflow has no version %s.', coalesce(p_to_version::text, '')));
  end if;
  v_version := private.add_version(v_workflow, v_source.definition, v_source.version);
  return jsonb_build_object('version', v_version.version);
end
$$;

create function public.publish_workflow(workflow_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.publish_workflow(publish_workflow.workflow_id);
end
$$;

create function public.roll_back_workflow(workflow_id uuid, to_version integer)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.roll_back_workflow(roll_back_workflow.workflow_id, roll_back_workflow.to_version);
end
$$;
grant execute on function private.publish_workflow(uuid), private.roll_back_workflow(uuid, integer),
  public.publish_workflow(uuid), public.roll_back_workflow(uuid, integer)
to authenticated, service_role;
