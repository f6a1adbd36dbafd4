-- Edges that nobody could choose are said when a workflow is published: a label of an approval that is no decision is a
-- fault, and what an export says of its first branch, or of a graph inside a node, is lost only with a warning.

create function private.approval_label_faults(p_nodes jsonb, p_edges jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'code', 'invalid_edge', 'edge', (e ->> 'source') || ' → ' || (e ->> 'target'),
    'message', format('Edge %s → %s: the labels of an approval are approved and rejected.', e ->> 'source', e ->> 'target')
  ) order by (e ->> 'position')::integer), '[]')
  from jsonb_array_elements(p_edges) as e
  join jsonb_array_elements(p_nodes) as n on n ->> 'position' = e ->> 'source_position'
  where n ->> 'type' = 'approval' and jsonb_typeof(e -> 'label') = 'string' and e ->> 'label' not in ('approved', 'rejected')
$$;

-- What an export says and the edges and nodes read from it do not.
create function private.import_losses(p_definition jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_agg(x.warning order by x.kind, x.place), '[]')
  from (
    -- Nobody reports the start, so nobody could name a branch there.
    select 1 as kind, e.place, jsonb_build_object(
      'code', 'start_label_ignored', 'edge', '__start__ → ' || private.as_id(e.value -> 'target'),
      'message', format(
        'The edge from the start to %s has the label %s, which nobody can name: it is always taken. Give it a "when" on the input, '
          'or let an agent come first that names the branch.',
        private.as_id(e.value -> 'target'), e.value ->> 'data'
      )
    ) as warning
    from jsonb_array_elements(coalesce(p_definition -> 'edges', '[]')) with ordinality as e (value, place)
    where private.as_id(e.value -> 'source') = '__start__' and e.value -> 'conditional' = 'true'
      and coalesce(e.value -> 'data', 'null') <> 'null' and not e.value ? 'label' and not e.value ? 'when'
    union all
    select 2, n.place, jsonb_build_object(
      'code', 'subgraph_not_expanded', 'node', private.as_id(n.value -> 'id'),
      'message', format(
        'Node %s is a graph of its own, which the export does not hold: it is one task. Export with xray, or make it a workflow.',
        private.as_id(n.value -> 'id')
      )
    )
    from jsonb_array_elements(p_definition -> 'nodes') with ordinality as n (value, place)
    where jsonb_typeof(n.value #> '{data,id}') = 'array' and n.value #>> '{data,id,-1}' = 'CompiledStateGraph'
      and coalesce(n.value #>> '{metadata,type}', 'agent') <> 'workflow'
  ) as x
$$;

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
  v_warnings := private.import_warnings(v_nodes, v_edges) || private.import_losses(p_definition);
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
  end if;
  return private.graph_rows(p_definition, v_nodes, v_edges, v_trace, v_is_import)
    || jsonb_build_object('faults', '[]'::jsonb, 'warnings', v_warnings);
end
$$;
