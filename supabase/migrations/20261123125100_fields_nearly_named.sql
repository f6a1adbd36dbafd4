-- A field that is written another way than the graph's own, as `onFailure` for `on_failure`, was ignored without a word, and the
-- node failed the execution where it was to be skipped. Editors keep fields of their own in a definition, so what nobody reads
-- is no fault; what differs from a field only in capitals and signs is a warning.

create function private.misspelled_fields(p_definition jsonb, p_nodes jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  with parts as (
    select 0 as kind, 0 as place, null as node, null as edge, 'The definition' as name, p_definition as value,
      array['nodes', 'edges', 'state', 'defaults', 'concurrency_limit'] as fields
    union all
    select 1, (n ->> 'position')::integer, n ->> 'node_id', null, format('Node %s', n ->> 'node_id'), n -> 'conf',
      array[
        'id', 'type', 'agent_type', 'agent_id', 'input', 'join', 'on_failure', 'delay_seconds', 'priority', 'retry', 'timeout_seconds',
        'over', 'role', 'approvals', 'workflow_id', 'version', 'metadata'
      ]
    from jsonb_array_elements(p_nodes) as n
    union all
    select 2, (n ->> 'position')::integer, n ->> 'node_id', null, format('Node %s, retry', n ->> 'node_id'), n #> '{conf,retry}',
      array['max_attempts', 'backoff_seconds']
    from jsonb_array_elements(p_nodes) as n
    union all
    select 3 + x.level, e.place, null, x.name, format('Edge %s', x.name), x.value, x.fields
    from jsonb_array_elements(coalesce(p_definition -> 'edges', '[]')) with ordinality as e (value, place)
    cross join lateral (
      select l.*, format('%s → %s', e.value ->> 'source', e.value ->> 'target') as name
      from (values
        (0, e.value, array['source', 'target', 'when', 'label', 'loop']),
        (1, e.value -> 'loop', array['max_iterations', 'on_exhausted'])
      ) as l (level, value, fields)
    ) as x
  )
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'code', 'field_ignored', 'node', p.node, 'edge', p.edge,
    'message', format('%s: the field %s is ignored; %s is meant?', p.name, k.key, f.name)
  )) order by p.kind, p.place, k.key), '[]')
  from parts as p
  cross join lateral jsonb_object_keys(case when jsonb_typeof(p.value) = 'object' then p.value else '{}' end) as k (key)
  join lateral unnest(p.fields) as f (name)
    on replace(f.name, '_', '') = lower(regexp_replace(k.key, '[^A-Za-z0-9]', '', 'g'))
  where k.key <> all (p.fields) and not p.value ? f.name
$$;
revoke execute on function private.misspelled_fields(jsonb, jsonb) from public, anon, authenticated, service_role;

create or replace function private.compile_definition(p_project_id uuid, p_definition jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_fault jsonb := private.definition_fault(p_definition);
  v_is_import boolean;
  v_nodes jsonb;
  v_edges jsonb;
  v_faults jsonb;
  v_warnings jsonb;
  v_trace private.graph_trace;
begin
  if v_fault is not null then
    return jsonb_build_object('faults', jsonb_build_array(v_fault), 'warnings', '[]'::jsonb);
  end if;
  v_is_import := private.is_import(p_definition);
  v_nodes := private.read_nodes(p_project_id, p_definition);
  v_edges := private.read_edges(p_definition, v_nodes);
  if v_is_import and v_nodes <> '[]' then
    v_edges := private.with_guessed_loops(p_definition, v_edges, jsonb_array_length(v_nodes));
  end if;
  v_faults := private.part_faults(p_project_id, p_definition, v_nodes, v_edges)
    || private.approval_label_faults(v_nodes, v_edges);
  v_warnings := private.import_warnings(v_nodes, v_edges) || private.import_losses(p_definition)
    || private.misspelled_fields(p_definition, v_nodes);
  if v_nodes = '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;
  v_trace := private.trace_graph(v_nodes, v_edges);
  v_faults := v_faults || private.graph_faults(v_nodes, v_edges, v_trace, v_is_import);
  if v_faults <> '[]' then
    return jsonb_build_object('faults', v_faults, 'warnings', v_warnings);
  end if;

  if v_is_import then
    select v_warnings || coalesce(jsonb_agg(jsonb_build_object(
      'code', 'unreachable_node', 'node', n ->> 'node_id',
      'message', format('No way leads from the start to node %s: it was left out.', n ->> 'node_id')
    ) order by (n ->> 'position')::integer), '[]')
    into v_warnings
    from jsonb_array_elements(v_nodes) as n
    where not v_trace.reached[(n ->> 'position')::integer];
    v_warnings := v_warnings || private.join_warnings(v_nodes, v_edges, v_trace);
  end if;
  return private.graph_rows(p_definition, v_nodes, v_edges, v_trace, v_is_import)
    || jsonb_build_object('faults', '[]'::jsonb, 'warnings', v_warnings);
end
$$;
