-- Where many maps or workflows inside begin in one step, what each of them set going was told by copying what all before had: with
-- some thousands of them the step took longer than a statement may, and the report that led to them never came through. It is told
-- once for all of them.
create or replace function private.settle(p_execution_id uuid, p_done uuid[], p_ready uuid[], p_from_start boolean, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_version_id uuid;
  v_has_predicates boolean;
  v_done uuid[] := p_done;
  v_from_start boolean := p_from_start;
  v_moved jsonb := '{}';
  v_next uuid[];
  v_ready uuid[] := p_ready;
  v_error text;
  v_skipped uuid[];
  v_ended integer[];
  v_task public.agent_tasks;
  v_step jsonb;
  v_child uuid;
  v_ids uuid[];
  v_statuses text[];
  v_predicates text[];
  v_state jsonb;
  v_edges integer[];
  v_targets integer[];
  v_lives boolean[];
  v_recorded boolean[];
  v_pending uuid[];
  v_waiting uuid[];
  v_too_large text;
  v_left integer;
begin
  select g.version_id, g.has_predicates into v_version_id, v_has_predicates
  from public.workflow_executions as x
  join private.workflow_graphs as g on g.version_id = x.version_id
  where x.id = p_execution_id;
  while v_from_start or cardinality(v_done) > 0 or cardinality(v_ready) > 0 loop
    v_next := '{}';
    v_ended := '{}';

    for v_task in
      select t.* from public.agent_tasks as t
      where t.id = any (v_done) and exists (
        select from private.workflow_edges as e
        where e.version_id = v_version_id and e.source_index = t.node_index and e.loop_max_iterations is not null
      )
      order by t.node_index
    loop
      continue when not private.is_current(v_task);
      v_step := private.turn_loops(v_task);
      if v_step ? 'error' then
        v_error := coalesce(v_error, v_step ->> 'error');
      elsif v_step ? 'ready' then
        v_moved := private.merge_moved(v_moved, v_step -> 'moved');
        v_ready := v_ready || array(select r::uuid from jsonb_array_elements_text(v_step -> 'ready') as r);
      else
        v_ended := v_ended || array(select r::integer from jsonb_array_elements_text(v_step -> 'ended') as r);
      end if;
    end loop;

    -- The edges that can be decided now: those of what is done, and those that waited for a loop to end.
    if v_has_predicates then
      v_predicates := array(
        select e.predicate from public.agent_tasks as t
        join private.workflow_edges as e on e.version_id = v_version_id and e.source_index = t.node_index
        where t.id = any (v_done) and e.predicate is not null
        union
        select e.predicate from private.workflow_edges as e
        where v_from_start and e.version_id = v_version_id and e.source_index = 0 and e.predicate is not null
        union
        select e.predicate from private.workflow_edges as e
        where v_ended <> '{}' and e.version_id = v_version_id and e.gates && v_ended and e.predicate is not null
      );
      v_state := case when v_predicates <> '{}' then private.read_state(p_execution_id, v_predicates) end;
    end if;
    with sources as (
      select t.node_index, t.status, t.label, t.node_type from public.agent_tasks as t
      where t.id = any (v_done) and private.is_current(t)
      union
      select t.node_index, t.status, t.label, t.node_type
      from (
        select distinct g.source_index as node_index from private.workflow_edges as g
        where g.version_id = v_version_id and g.gates && v_ended and v_ended <> '{}'
      ) as b
      cross join lateral (
        select t.* from public.agent_tasks as t
        where t.workflow_execution_id = p_execution_id and t.node_index = b.node_index and t.map_index is null
        order by t.iteration desc
        limit 1
      ) as t
      where t.status in ('completed', 'failed', 'skipped')
      union all
      select 0, 'completed', null, 'start' where v_from_start
    ), decided as (
      select
        e.edge_index, e.target_index, e.is_recorded,
        s.status <> 'skipped' and (e.label is null or e.label = coalesce(s.label, ''))
          and (s.node_type <> 'approval' or e.label is not null or e.predicate is not null or coalesce(s.label, '') = 'approved')
          and (e.predicate is null or private.holds(v_state, e.predicate)) as is_live
      from sources as s
      join private.workflow_edges as e on e.version_id = v_version_id and e.source_index = s.node_index
      where e.loop_max_iterations is null
        and (
          e.gates is null
          or not exists (
            select from unnest(e.gates) as g (edge_index)
            left join private.execution_loops as l on l.workflow_execution_id = p_execution_id and l.edge_index = g.edge_index
            where not coalesce(l.is_ended, false)
          )
        )
        and (e.gates is null or not exists (
          select from private.edge_outcomes as o where o.workflow_execution_id = p_execution_id and o.edge_index = e.edge_index
        ))
        -- An edge whose source was done before is decided now only if it waited for one of the loops that have just ended.
        and (s.node_index = 0 or e.gates && v_ended or exists (
          select from public.agent_tasks as t where t.id = any (v_done) and t.node_index = s.node_index
        ))
    )
    select array_agg(d.edge_index), array_agg(d.target_index), array_agg(d.is_live), array_agg(d.is_recorded)
    into v_edges, v_targets, v_lives, v_recorded
    from decided as d;

    if v_edges is not null then
      if true = any (v_recorded) then
        insert into private.edge_outcomes (workflow_execution_id, edge_index, is_live)
        select p_execution_id, d.edge_index, d.is_live
        from unnest(v_edges, v_lives, v_recorded) as d (edge_index, is_live, is_recorded)
        where d.is_recorded
        on conflict (workflow_execution_id, edge_index) do update set is_live = excluded.is_live;
      end if;
      if array_position(v_targets, null) is not null then
        update private.execution_progress as p
        set remaining = p.remaining - (select count(*) from unnest(v_targets) as t where t is null)
        where p.workflow_execution_id = p_execution_id;
      end if;
      with hits as (
        select d.target_index, count(*)::integer as n, bool_or(d.is_live) as is_live
        from unnest(v_targets, v_lives) as d (target_index, is_live)
        where d.target_index is not null
        group by d.target_index
      ), changed as (
        update public.agent_tasks as t
        set remaining = greatest(t.remaining - h.n, 0), has_live_edge = t.has_live_edge or h.is_live
        from hits as h
        cross join lateral (
          select c.id from public.agent_tasks as c
          where c.workflow_execution_id = p_execution_id and c.node_index = h.target_index and c.map_index is null
          order by c.iteration desc
          limit 1
        ) as latest
        where t.id = latest.id and t.status = 'blocked'
        returning t.id, t.version_id, t.node_index, t.remaining, t.has_live_edge
      )
      select
        v_ready || coalesce(array_agg(c.id) filter (where c.has_live_edge and (c.remaining = 0 or n.join_mode = 'any')), '{}'),
        array_agg(c.id) filter (where c.remaining = 0 and not c.has_live_edge)
      into v_ready, v_skipped
      from changed as c
      join private.workflow_nodes as n on n.version_id = c.version_id and n.node_index = c.node_index;
      if v_skipped is not null then
        update public.agent_tasks as t set status = 'skipped', completed_at = now() where t.id = any (v_skipped);
        v_moved := private.merge_moved(v_moved, private.moved('skipped', v_skipped));
        v_next := v_skipped;
      end if;
    end if;

    if cardinality(v_ready) > 0 then
      with changed as (
        update public.agent_tasks as t
        set status = case t.node_type when 'agent' then 'pending' else 'waiting' end, remaining = 0,
          available_at = now() + make_interval(secs => n.delay_seconds),
          input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
        from private.workflow_nodes as n
        where t.id = any (v_ready) and t.node_type in ('agent', 'approval') and t.status = 'blocked'
          and n.version_id = t.version_id and n.node_index = t.node_index
        returning t.id, t.node_index, t.node_id, t.status, octet_length(t.input_data::text) as size
      )
      select
        array_agg(c.id order by c.node_index) filter (where c.status = 'pending'),
        array_agg(c.id order by c.node_index) filter (where c.status = 'waiting'),
        min(c.node_id) filter (where c.size > 1048576)
      into v_pending, v_waiting, v_too_large
      from changed as c;
      if v_too_large is not null then
        perform private.refuse_large_input(v_too_large);
      end if;
      v_moved := private.merge_moved(v_moved, private.moved('pending', v_pending) || private.moved('waiting', v_waiting));

      -- One by one into lists, and told together: a hundred maps that begin at once would copy what was told of those before.
      v_ids := '{}';
      v_statuses := '{}';
      for v_task in
        select t.* from public.agent_tasks as t
        where t.id = any (v_ready) and t.node_type in ('map', 'workflow') and t.status = 'blocked'
        order by t.node_index
      loop
        v_step := case v_task.node_type when 'map' then private.expand_map(v_task) else private.start_child(v_task) end;
        v_ids := array_append(v_ids, v_task.id);
        if v_step ? 'error' then
          case private.close_failed(v_task, v_step ->> 'error')
            when 'fail' then
              v_error := coalesce(v_error, format('Task %s failed: %s', v_task.node_id, v_step ->> 'error'));
              v_statuses := array_append(v_statuses, 'failed');
            when 'skip' then
              v_next := array_append(v_next, v_task.id);
              v_statuses := array_append(v_statuses, 'skipped');
            else
              v_next := array_append(v_next, v_task.id);
              v_statuses := array_append(v_statuses, 'failed');
          end case;
        else
          v_statuses := array_append(v_statuses, v_step ->> 'status');
          for v_child in select e::uuid from jsonb_array_elements_text(v_step -> 'pending') as e loop
            v_ids := array_append(v_ids, v_child);
            v_statuses := array_append(v_statuses, 'pending');
          end loop;
          if v_step ->> 'status' = 'completed' then
            v_next := array_append(v_next, v_task.id);
          end if;
        end if;
      end loop;
      if v_ids <> '{}' then
        v_moved := private.merge_moved(v_moved, (
          select json_object_agg(m.status, m.ids)::jsonb
          from (
            select i.status, jsonb_agg(i.id order by i.place) as ids
            from unnest(v_ids, v_statuses) with ordinality as i (id, status, place)
            group by i.status
          ) as m
        ));
      end if;
    end if;

    v_done := v_next;
    v_ready := '{}';
    v_from_start := false;
  end loop;

  if v_error is not null then
    perform private.require_alone(p_alone);
    return jsonb_build_object('moved', v_moved, 'end', 'failed', 'error', v_error);
  end if;
  select p.remaining into v_left from private.execution_progress as p where p.workflow_execution_id = p_execution_id;
  return jsonb_build_object('moved', v_moved, 'end', case when v_left = 0 then 'completed' end);
end
$$;
