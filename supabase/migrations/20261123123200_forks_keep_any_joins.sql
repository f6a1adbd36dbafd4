-- A fork began a finished join: any anew, and all that lies behind it, wherever it was forked from, because one of the ways to
-- it that came too late was still open or cancelled by the end. What has begun does not wait for those ways any more: they
-- begin anew alone. (Inside a loop such a way calls for the next turn too, and a loop is kept whole or not at all.)
-- Each node's edges are looked up by the index: planned as a join, each step of the walk read all edges of the graph.

create or replace function private.forked_nodes(p_execution_id uuid, p_version_id uuid, p_from_index integer)
returns integer[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_begun integer[] := array(
    select n.node_index
    from private.workflow_nodes as n
    join public.agent_tasks as t
      on t.workflow_execution_id = p_execution_id and t.node_index = n.node_index and t.map_index is null
    where n.version_id = p_version_id and n.join_mode = 'any' and n.loops = '{}'
      and (t.status in ('completed', 'skipped') or t.status = 'failed' and n.on_failure = 'continue')
  );
begin
  return array(
    with recursive anew as (
      select p_from_index as node_index, true as is_behind
      union
      select t.node_index, false
      from public.agent_tasks as t
      join private.workflow_nodes as n on n.version_id = p_version_id and n.node_index = t.node_index
      where t.workflow_execution_id = p_execution_id and private.is_current(t)
        and not (t.status in ('completed', 'skipped') or t.status = 'failed' and n.on_failure = 'continue')
      union
      -- A loop that did not end, as it ran out of turns, is tried anew.
      select e.source_index, false
      from private.workflow_edges as e
      left join private.execution_loops as l on l.workflow_execution_id = p_execution_id and l.edge_index = e.edge_index
      where e.version_id = p_version_id and e.loop_max_iterations is not null and not coalesce(l.is_ended, false)
      union
      select e.target_index, a.is_behind
      from anew as a
      -- offset 0: each node's edges are looked up by the index, whatever the statistics say.
      cross join lateral (
        select w.target_index from private.workflow_edges as w
        where w.version_id = p_version_id and w.source_index = a.node_index and w.target_index is not null
        offset 0
      ) as e
      where a.is_behind or not e.target_index = any (v_begun)
    )
    select distinct a.node_index from anew as a
  );
end
$$;
