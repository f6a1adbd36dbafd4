-- Reports of one batch that need nothing but counting down (completed, without artifacts or messages, in graphs of agents
-- and plain edges) are applied together: one statement per table for all of them, one message per execution. An execution
-- of which the batch also says other things is told one by one, in the order of the reports.

-- Their statements join a few reports with large tables. Whatever the statistics said when the plans were made, on the
-- first day or on the busiest, each report finds its rows by an index: no other way of joining is allowed.

create type private.plain_report as (
  place integer, task_id uuid, lease_digest bytea, report_digest text, label text, error_message text, execution_time_ms integer
);

-- A task that such a report completed, and what is to be looked at behind it.
create type private.plain_completion as (
  place integer, task_id uuid, execution_id uuid, project_id uuid, version_id uuid, node_index integer, attempt integer,
  has_unlocks boolean, has_counts boolean
);

-- A join of an execution (or its end, -1) that so many completions count for. place: of the last of them.
create type private.plain_count as (execution_id uuid, version_id uuid, node_index integer, hits integer, place integer);

create type private.moved_task as (place integer, task_id uuid, node_index integer);

-- The reports of a batch that are well-formed and plain; of two about one task the first.
create function private.plain_reports(p_results jsonb)
returns private.plain_report[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select array_agg((
      x.place, x.task_id, sha256(uuid_send(x.lease_token)),
      md5(jsonb_build_array('completed', x.value -> 'output_data', x.error_message, x.label, '[]'::jsonb, '[]'::jsonb)::text),
      x.label, x.error_message, x.execution_time_ms
    )::private.plain_report)
    from (
      select distinct on (r.task_id) r.*
      from (
        select
          i.place::integer as place, i.value, i.value ->> 'label' as label, i.value ->> 'error_message' as error_message,
          case when pg_input_is_valid(i.value ->> 'task_id', 'uuid') then (i.value ->> 'task_id')::uuid end as task_id,
          case when pg_input_is_valid(i.value ->> 'lease_token', 'uuid') then (i.value ->> 'lease_token')::uuid end as lease_token,
          case
            when pg_input_is_valid(coalesce(i.value ->> 'execution_time_ms', '0'), 'integer')
              then (i.value ->> 'execution_time_ms')::integer
            else -1
          end as execution_time_ms
        from jsonb_array_elements(p_results) with ordinality as i (value, place)
        where jsonb_typeof(i.value) = 'object' and i.value ->> 'status' = 'completed'
          and coalesce(i.value -> 'artifacts', 'null') in ('null', '[]') and coalesce(i.value -> 'messages', 'null') in ('null', '[]')
      ) as r
      where r.task_id is not null and r.lease_token is not null and (r.execution_time_ms is null or r.execution_time_ms >= 0)
        and (r.label is null or char_length(r.label) <= 200)
        and (r.error_message is null or octet_length(r.error_message) <= 1048576)
        and (pg_column_size(r.value -> 'output_data') <= 131072 or octet_length((r.value -> 'output_data')::text) <= 1048576) is not false
      order by r.task_id, r.place
    ) as x
  );
end
$$;

-- The locks of all executions of a batch, in one order. Reports that are applied together lock rows in one order too, so
-- they share their executions with others; one by one they would not, so a batch with such a report wants its
-- executions alone. Answers the executions (outermost) of which all reports can be applied together.
drop function private.enter_batch(jsonb);
create function private.enter_batch(p_results jsonb, p_plain private.plain_report[])
returns uuid[]
language plpgsql
volatile
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_root record;
  v_together uuid[] := '{}';
begin
  for v_root in
    with item as (
      select
        p.root_execution_id, r.value ->> 'status' = 'failed' or p.mode <> 'plain' or p.depth > 0 as is_grave,
        -- By the task: what is said of it a second time changes nothing.
        t.id = any (array(select u.task_id from unnest(p_plain) as u)) and r.value ->> 'status' = 'completed' and p.mode = 'plain'
          and p.depth = 0 as is_plain
      from jsonb_array_elements(p_results) as r
      join public.agent_tasks as t on t.id = case when pg_input_is_valid(r.value ->> 'task_id', 'uuid') then (r.value ->> 'task_id')::uuid end
      join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
      where t.id = any (array(
        select case when pg_input_is_valid(u.value ->> 'task_id', 'uuid') then (u.value ->> 'task_id')::uuid end
        from jsonb_array_elements(p_results) as u
      ))
      -- What the caller may not report is refused one by one later; nobody holds up the executions of others until then.
      and (private.is_worker() or t.project_id in (select private.project_ids('editor')))
    )
    select
      i.root_execution_id as id, bool_and(i.is_plain) as is_plain,
      bool_or(i.is_grave) or (sum(count(*)) over () > 1 and not bool_and(bool_and(i.is_plain)) over ()) as alone
    from item as i
    group by i.root_execution_id
    order by i.root_execution_id
  loop
    perform private.enter_execution(v_root.id, v_root.alone);
    if v_root.is_plain then
      v_together := array_append(v_together, v_root.id);
    end if;
  end loop;
  return v_together;
end
$$;

-- Completes the tasks of plain reports that are running under their leases, where the caller may.
create function private.complete_running(p_reports private.plain_report[], p_results jsonb, p_executions uuid[])
returns private.plain_completion[]
language plpgsql
volatile
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_is_worker boolean := private.is_worker();
  v_projects uuid[];
  v_done private.plain_completion[];
begin
  if not v_is_worker then
    v_projects := array(select private.project_ids('editor'));
  end if;
  with task as (
    select t.id, r.place, r.report_digest, r.label, r.error_message, r.execution_time_ms
    from unnest(p_reports) as r
    join public.agent_tasks as t on t.id = r.task_id
    where t.id = any (array(select u.task_id from unnest(p_reports) as u))
      -- Not as a plain condition: the index of all running tasks would look as good as that of the ids.
      and case when t.status = 'running' then t.lease_digest = r.lease_digest and t.workflow_execution_id = any (p_executions) end
      and (select o.status from public.projects as o where o.id = t.project_id) = 'active'
      and (v_is_worker or t.project_id = any (v_projects))
    order by t.id
    for no key update of t
  ), done as (
    update public.agent_tasks as t
    set status = 'completed', output_data = p_results -> (r.place - 1) -> 'output_data', error_message = r.error_message,
      label = r.label, execution_time_ms = r.execution_time_ms, completed_at = now(), lease_expires_at = null,
      report_digest = r.report_digest
    from task as r
    where t.id = r.id and t.id = any (array(select u.id from task as u))
    returning r.place, t.id, t.workflow_execution_id, t.project_id, t.version_id, t.node_index, t.attempt
  )
  select array_agg((
    d.place, d.id, d.workflow_execution_id, d.project_id, d.version_id, d.node_index, d.attempt, n.unlocks <> '{}', n.counts <> '{}'
  )::private.plain_completion order by d.place)
  into v_done
  from done as d
  join private.workflow_nodes as n on n.version_id = d.version_id and n.node_index = d.node_index;
  return v_done;
end
$$;

-- Counts down behind completed tasks, all counters first, then what they count for, each in one order. Answers the joins
-- (and ends) that have everything they waited for.
create function private.count_completions(p_done private.plain_completion[])
returns private.plain_count[]
language plpgsql
volatile
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_ready private.plain_count[];
  v_rows private.plain_count[];
  v_ends private.plain_count[];
begin
  with hit as (
    select d.execution_id, d.version_id, c.node_index, c.shard, count(*)::integer as hits, max(d.place) as place
    from unnest(p_done) as d
    join private.workflow_nodes as n on n.version_id = d.version_id and n.node_index = d.node_index
    cross join lateral unnest(n.counts, n.count_shards) as c (node_index, shard)
    where d.has_counts
    group by d.execution_id, d.version_id, c.node_index, c.shard
  ), counter as (
    select c.workflow_execution_id, c.node_index, c.shard, h.hits, h.place, h.version_id
    from hit as h
    join private.countdowns as c
    on c.workflow_execution_id = h.execution_id and c.node_index = h.node_index and c.shard = h.shard
    order by c.workflow_execution_id, c.node_index, c.shard
    for no key update of c
  ), counted as (
    update private.countdowns as c set remaining = c.remaining - h.hits
    from counter as h
    where c.workflow_execution_id = h.workflow_execution_id and c.node_index = h.node_index and c.shard = h.shard
    returning h.workflow_execution_id as execution_id, h.version_id, h.node_index, h.shard, h.place, c.remaining
  ), next as (
    select c.execution_id, c.version_id, c.node_index, c.shard = 0 as is_ready, 1 as hits, c.place
    from counted as c where c.remaining = 0
    union all
    select h.execution_id, h.version_id, h.node_index, false, h.hits, h.place from hit as h where h.shard is null
  ), summed as (
    select n.is_ready, (n.execution_id, n.version_id, n.node_index, sum(n.hits), max(n.place))::private.plain_count as item
    from next as n
    group by n.execution_id, n.version_id, n.node_index, n.is_ready
  )
  select
    array_agg(s.item) filter (where s.is_ready), array_agg(s.item) filter (where not s.is_ready and (s.item).node_index >= 0),
    array_agg(s.item) filter (where (s.item).node_index < 0)
  into v_ready, v_rows, v_ends
  from summed as s;

  if v_ends is not null then
    with counter as (
      select p.workflow_execution_id, e.hits, e as item
      from unnest(v_ends) as e
      join private.execution_progress as p on p.workflow_execution_id = e.execution_id
      order by p.workflow_execution_id
      for no key update of p
    ), counted as (
      update private.execution_progress as p set remaining = p.remaining - c.hits
      from counter as c
      where p.workflow_execution_id = c.workflow_execution_id
      returning p.remaining, c.item
    )
    select v_ready || array_agg(c.item) filter (where c.remaining = 0) into v_ready from counted as c;
  end if;
  if v_rows is not null then
    with counter as (
      select t.id, e.hits, e as item
      from unnest(v_rows) as e
      join public.agent_tasks as t
      on t.workflow_execution_id = e.execution_id and t.node_index = e.node_index and t.iteration = 0 and t.map_index is null
      where t.status = 'blocked'
      order by t.workflow_execution_id, t.node_index
      for no key update of t
    ), counted as (
      update public.agent_tasks as t set remaining = t.remaining - c.hits
      from counter as c
      where t.id = c.id
      returning t.remaining, c.item
    )
    select v_ready || array_agg(c.item) filter (where c.remaining = 0) into v_ready from counted as c;
  end if;
  return v_ready;
end
$$;

-- Sets going what waited for completed tasks. An input that gets too large is the matter of one of the reports, which
-- only finds out by itself: GE001.
create function private.unlock_behind(p_done private.plain_completion[], p_ready private.plain_count[])
returns private.moved_task[]
language plpgsql
volatile
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_moved private.moved_task[];
  v_joined private.moved_task[];
  v_is_large boolean := false;
begin
  if (select bool_or(d.has_unlocks) from unnest(p_done) as d) then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true, available_at = now(),
        input_data = jsonb_build_object(s.node_id, s.output_data)
      from unnest(p_done) as d
      join private.workflow_nodes as n on n.version_id = d.version_id and n.node_index = d.node_index
      cross join lateral unnest(n.unlocks) as u (node_index)
      join public.agent_tasks as s on s.id = d.task_id
      where d.has_unlocks and t.workflow_execution_id = d.execution_id and t.node_index = u.node_index and t.iteration = 0
        and t.map_index is null
      returning d.place, t.id, t.node_index,
        pg_column_size(t.input_data) > 131072 and octet_length(t.input_data::text) > 1048576 as is_large
    )
    select array_agg((c.place, c.id, c.node_index)::private.moved_task), bool_or(c.is_large) into v_moved, v_is_large
    from changed as c;
    perform private.require_alone(not v_is_large);
  end if;
  -- In a statement of its own: only a new snapshot sees the outputs of predecessors that committed while this one waited
  -- for a counter.
  if p_ready is not null then
    with changed as (
      update public.agent_tasks as t
      set status = 'pending', remaining = 0, has_live_edge = true,
        available_at = now() + make_interval(secs => n.delay_seconds),
        input_data = private.task_input(t.workflow_execution_id, t.version_id, t.node_index)
      from unnest(p_ready) as r
      join private.workflow_nodes as n on n.version_id = r.version_id and n.node_index = r.node_index
      where t.workflow_execution_id = r.execution_id and t.node_index = r.node_index and t.iteration = 0 and t.map_index is null
      returning r.place, t.id, t.node_index,
        pg_column_size(t.input_data) > 131072 and octet_length(t.input_data::text) > 1048576 as is_large
    )
    select array_agg((c.place, c.id, c.node_index)::private.moved_task), bool_or(c.is_large) into v_joined, v_is_large
    from changed as c;
    perform private.require_alone(not coalesce(v_is_large, false));
  end if;
  return v_moved || v_joined;
end
$$;

-- Ends executions whose last task is complete, like close_execution, and writes the events of all that was done.
create function private.record_completions(
  p_done private.plain_completion[], p_moved private.moved_task[], p_ended private.plain_count[]
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  if p_ended is not null then
    with ended as (
      select x.id
      from unnest(p_ended) as e
      join public.workflow_executions as x on x.id = e.execution_id
      order by x.id
      for no key update of x
    )
    update public.workflow_executions as x
    set status = 'completed', completed_at = now(), error_message = null, state = private.fold_state(x.id)
    from ended as e
    where x.id = e.id;
    delete from private.limited_executions as l
    where l.workflow_execution_id = any (array(select e.execution_id from unnest(p_ended) as e));
  end if;
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  select e.execution_id, e.project_id, e.task_id, e.type, e.data
  from (
    select
      d.place, d.execution_id, d.project_id, d.task_id, 'task.completed' as type,
      jsonb_build_object('attempt', d.attempt) || coalesce(m.moved, '{}') as data
    from unnest(p_done) as d
    left join (
      select m.place, jsonb_build_object('pending', jsonb_agg(m.task_id order by m.node_index)) as moved
      from unnest(p_moved) as m
      group by m.place
    ) as m on m.place = d.place
    union all
    select e.place, e.execution_id, d.project_id, null, 'execution.completed', '{}'
    from unnest(p_ended) as e
    join unnest(p_done) as d on d.place = e.place
  ) as e
  order by e.place, e.task_id nulls last;
end
$$;

-- The answers to reports that were applied together, by their places.
create function private.completion_answers(p_done private.plain_completion[], p_moved private.moved_task[], p_count integer)
returns jsonb[]
language plpgsql
stable
security definer
set search_path = ''
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  return (
    with execution as materialized (
      select x.id, private.execution_json(x) as json
      from (select distinct d.execution_id from unnest(p_done) as d) as d
      join public.workflow_executions as x on x.id = d.execution_id
    ), unlocked as (
      select m.place, jsonb_agg(private.task_json(t) order by t.node_index) as json
      from (
        select u.place, u.task_id, row_number() over (partition by u.place order by u.node_index) as rank from unnest(p_moved) as u
      ) as m
      join public.agent_tasks as t on t.id = m.task_id
      where m.rank <= 100
      group by m.place
    ), answer as (
      select d.place, jsonb_build_object(
        'ok', true, 'task', private.task_json(t), 'execution', x.json, 'unlocked', coalesce(u.json, '[]')
      ) as json
      from unnest(p_done) as d
      join public.agent_tasks as t on t.id = d.task_id
      join execution as x on x.id = d.execution_id
      left join unlocked as u on u.place = d.place
    )
    select array_agg(a.json order by p.place)
    from generate_series(1, p_count) as p (place)
    left join answer as a on a.place = p.place
  );
end
$$;

-- Applies the plain reports of those executions together. Answers by place; null where a report is still to be looked at by itself.
create function private.complete_together(p_reports private.plain_report[], p_results jsonb, p_executions uuid[])
returns jsonb[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_done private.plain_completion[];
  v_ready private.plain_count[];
  v_moved private.moved_task[];
  v_count integer := jsonb_array_length(p_results);
begin
  v_done := private.complete_running(p_reports, p_results, p_executions);
  if v_done is null then
    return array_fill(null::jsonb, array[v_count]);
  end if;
  if (select bool_or(d.has_counts) from unnest(v_done) as d) then
    v_ready := private.count_completions(v_done);
  end if;
  v_moved := private.unlock_behind(v_done, (select array_agg(r) from unnest(v_ready) as r where r.node_index >= 0));
  perform private.record_completions(v_done, v_moved, (select array_agg(r) from unnest(v_ready) as r where r.node_index < 0));
  return private.completion_answers(v_done, v_moved, v_count);
end
$$;

create or replace function private.complete_tasks(p_results jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_plain private.plain_report[];
  v_together uuid[];
  v_item record;
  v_answers jsonb[];
  v_message text;
  v_detail text;
  v_hint text;
begin
  if jsonb_typeof(p_results) is distinct from 'array' or jsonb_array_length(p_results) not between 1 and 100 then
    perform private.refuse_field('results', 'must be a list of 1 to 100 reports');
  end if;
  v_plain := private.plain_reports(p_results);
  begin
    v_together := private.enter_batch(p_results, v_plain);
    if cardinality(v_plain) is distinct from jsonb_array_length(p_results) then
      perform private.lock_batch_artifacts(p_results);
    end if;
    v_answers := private.complete_together(v_plain, p_results, v_together);
  exception
    -- One of them cannot be applied with the others: each for itself, then.
    when sqlstate 'GE001' then
      perform private.enter_batch(p_results, null);
      perform private.lock_batch_artifacts(p_results);
      v_answers := array_fill(null::jsonb, array[jsonb_array_length(p_results)]);
  end;
  for v_item in
    select r.value as report, r.place
    from jsonb_array_elements(p_results) with ordinality as r (value, place)
    where v_answers[r.place] is null
    order by r.place
  loop
    begin
      v_answers[v_item.place] := private.complete_from_json(v_item.report) || '{"ok": true}';
    exception
      when others then
        if sqlstate not like 'PT4%' then
          raise;
        end if;
        get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_answers[v_item.place] := jsonb_build_object(
          'ok', false, 'error', jsonb_build_object('code', v_hint, 'message', v_message, 'details', v_detail::jsonb)
        );
    end;
  end loop;
  return jsonb_build_object('results', to_jsonb(v_answers));
end
$$;
