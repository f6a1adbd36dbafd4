-- What is published from here on has its channels named, and is read by them: after the triggers that note the writes, and
-- after all that reads them, as each migration is a commit of its own and people publish in between.

create or replace function private.add_version(p_workflow public.workflows, p_definition jsonb, p_source_version integer)
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
    loop_sources, gates, is_recorded
  )
  select v_version.id, e.edge_index, e.source_index, e.target_index, e.label, e.predicate, e.loop_max_iterations,
    e.loop_on_exhausted, e.loop_body, e.loop_sources, e.gates, e.is_recorded
  from jsonb_populate_recordset(null::private.workflow_edges, v_graph -> 'edges') as e;
  perform private.name_channels(v_version.id);

  update public.workflows as w set current_version = v_version.version, status = 'active' where w.id = p_workflow.id;
  return v_version;
end
$$;
