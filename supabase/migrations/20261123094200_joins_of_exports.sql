-- LangGraph runs a node at each step that one of its edges leads to it, unless the edges were added as one; an export writes
-- both alike. Here such a node is a join, and runs once. Where the ways to it are equally long that is the same; where they
-- are not, it was guessed in silence.

-- The nodes that ways of different length lead to at once, and that do not say how they join. Ways part at the last node that
-- lies on all of them: at one that names a branch only one of them is taken.
create function private.join_warnings(p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_place integer[] := p_trace.place;
  v_reached boolean[] := p_trace.reached;
  -- By the nodes' numbers, 0 is the start: the last node on all ways to each, and how long these are.
  v_fork integer[] := array_fill(0, array[cardinality(v_place) + 1], array[0]);
  v_shortest integer[] := array_fill(1, array[cardinality(v_place) + 1], array[0]);
  v_longest integer[];
  v_forks_at_once boolean[] := array_fill(false, array[cardinality(v_place) + 1], array[0]);
  v_node record;
  v_source integer;
  v_shared integer;
  v_least integer;
  v_most integer;
  v_uneven integer[] := '{}';
begin
  v_shortest[0] := 0;
  v_longest := v_shortest;
  v_forks_at_once[0] := true;
  for v_source in
    select distinct (e ->> 'source_position')::integer from jsonb_array_elements(p_edges) as e
    where e -> 'loop' = 'null' and e -> 'label' = 'null' and e -> 'when' = 'null'
  loop
    v_forks_at_once[v_source] := true;
  end loop;

  for v_node in
    select w.target as position, array_agg(distinct w.source) as sources
    from (
      select (e ->> 'source_position')::integer as source, (e ->> 'target_position')::integer as target
      from jsonb_array_elements(p_edges) as e
      where e -> 'loop' = 'null'
    ) as w
    where w.target > 0 and (w.source = 0 or v_reached[w.source])
    group by w.target
    order by v_place[w.target]
  loop
    v_shared := v_node.sources[1];
    v_least := v_shortest[v_shared];
    v_most := v_longest[v_shared];
    foreach v_source in array v_node.sources loop
      v_least := least(v_least, v_shortest[v_source]);
      v_most := greatest(v_most, v_longest[v_source]);
      while v_source <> v_shared loop
        if coalesce(v_place[v_source], 0) > coalesce(v_place[v_shared], 0) then
          v_source := v_fork[v_source];
        else
          v_shared := v_fork[v_shared];
        end if;
      end loop;
    end loop;
    v_fork[v_node.position] := v_shared;
    v_shortest[v_node.position] := v_least + 1;
    v_longest[v_node.position] := v_most + 1;
    if v_forks_at_once[v_shared] and v_least - v_shortest[v_shared] < v_most - v_longest[v_shared] then
      v_uneven := array_append(v_uneven, v_node.position);
    end if;
  end loop;

  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'code', 'join_guessed', 'node', n.value ->> 'node_id',
      'message', format(
        'Ways of different length lead to node %s: it runs once, when all are decided, and not at each step that leads to it. '
          'Say "join" in its metadata.', n.value ->> 'node_id'
      )
    ) order by n.position), '[]')
    from jsonb_array_elements(p_nodes) with ordinality as n (value, position)
    join unnest(v_uneven) as u (position) on u.position = n.position
    where n.value #>> '{conf,join}' is null and n.value #> '{conf,defer}' is distinct from 'true'
  );
end
$$;
revoke execute on function private.join_warnings(jsonb, jsonb, private.graph_trace) from public, anon, authenticated, service_role;

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
    v_warnings := v_warnings || private.join_warnings(v_nodes, v_edges, v_trace);
  end if;
  return private.graph_rows(p_definition, v_nodes, v_edges, v_trace, v_is_import)
    || jsonb_build_object('faults', '[]'::jsonb, 'warnings', v_warnings);
end
$$;
