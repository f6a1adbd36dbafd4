-- The start and each turn of a wide loop compared its body, a list of up to 10,000 numbers, with itself for every node in
-- it: most of the time they took. Loops into one node from the same sources are one family, or stand alone.

-- Where a task's output stands in the state: by the turns of the loops around its node, outermost first, then by the node.
-- The turns of a family are those of all its loops. Outside of loops that is its node, and said only where the version names
-- channels (20261123085000).
create or replace function private.fold_order(p_execution_id uuid, p_version_id uuid, p_loops integer[], p_node_index integer)
returns integer[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_order integer[] := '{}';
  v_loop integer;
begin
  if p_loops = '{}' then
    return (
      select array[p_node_index] from private.workflow_graphs as g where g.version_id = p_version_id and g.names_channels
    );
  end if;
  foreach v_loop in array p_loops loop
    select v_order || e.loop_sources[cardinality(e.loop_sources)] || (
      select coalesce(sum(l.taken), 0)::integer
      from private.workflow_edges as p
      join private.execution_loops as l on l.workflow_execution_id = p_execution_id and l.edge_index = p.edge_index
      where p.version_id = p_version_id and p.target_index = e.target_index and p.loop_sources = e.loop_sources
        and (p.edge_index = e.edge_index or cardinality(e.loop_sources) > 1)
    ) into v_order
    from private.workflow_edges as e
    where e.version_id = p_version_id and e.edge_index = v_loop;
  end loop;
  return v_order || p_node_index;
end
$$;
