-- jsonb_agg measures what is left of a value once for each text in it (PostgreSQL copies the texts with snprintf): a value of a
-- mebibyte with a list of 25,000 texts takes it sixteen seconds, in which nothing can interrupt it. So a claim that took leases back
-- and had found a task with such an input came to nothing, and so did each one after it; a batch with such an output beside one of
-- null, and publishing a graph with such a constant, took as long. json_agg writes them down as they are.
create or replace function private.claim_or_reclaim(
  p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer, p_project_id uuid, p_execution_id uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_project_id uuid;
  v_tasks jsonb;
  v_within uuid[];
begin
  if coalesce(char_length(p_worker_id), 0) not between 1 and 200 then
    perform private.refuse_field('worker_id', 'must have 1 to 200 characters');
  end if;
  if coalesce(cardinality(p_agent_types), 0) not between 1 and 100 then
    perform private.refuse_field('agent_types', 'must name 1 to 100 agent types');
  end if;
  if p_limit is null or p_limit not between 1 and 100 then
    perform private.refuse_field('limit', 'must be between 1 and 100');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 86400 then
    perform private.refuse_field('lease_seconds', 'must be between 1 and 86400');
  end if;
  if p_execution_id is not null then
    select x.project_id into v_project_id from public.workflow_executions as x where x.id = p_execution_id;
    if v_project_id is null or private.role_in_project(v_project_id) is null
      or v_project_id <> coalesce(p_project_id, v_project_id)
    then
      perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
    end if;
  end if;
  v_project_id := coalesce(v_project_id, p_project_id);
  if v_project_id is not null then
    perform private.ask_role(v_project_id, 'editor');
  end if;

  -- Nothing has to run in the background: who finds too little to do takes back what dead workers hold, and so does one
  -- busy claim in sixteen. Before any task is leased where that may take long, so that no lease is spent on it.
  if random() < 0.0625 and private.has_expired_tasks() then
    perform private.reclaim_tasks(v_project_id, v_project_id is not null);
  end if;
  v_tasks := private.claim_in_turn(v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit, p_lease_seconds);
  if jsonb_array_length(v_tasks) < p_limit and private.has_expired_tasks() then
    perform private.reclaim_tasks(v_project_id, v_tasks = '[]');
    -- What failed for good there may have closed a task that was just leased.
    v_tasks := (
      select coalesce(json_agg(x.task order by x.place)::jsonb, '[]')
      from jsonb_array_elements(v_tasks) with ordinality as x (task, place)
      where exists (select from public.agent_tasks as t where t.id = (x.task ->> 'id')::uuid and t.status = 'running')
    );
    if jsonb_array_length(v_tasks) < p_limit then
      v_tasks := v_tasks || private.claim_in_turn(
        v_project_id, p_execution_id, p_worker_id, p_agent_types, p_limit - jsonb_array_length(v_tasks), p_lease_seconds
      );
    end if;
  end if;
  if p_execution_id is not null then
    v_within := private.executions_within(p_execution_id);
  end if;
  return jsonb_build_object('tasks', v_tasks) || case
    when cardinality(v_within) > 1 then jsonb_build_object('executions', v_within[:100])
    else '{}'
  end;
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
set lock_timeout = '3s'
as $$
declare
  v_plain private.plain_report[];
  v_together uuid[];
  v_item record;
  v_answers jsonb[];
  v_answer jsonb;
  v_message text;
  v_detail text;
  v_hint text;
begin
  if jsonb_typeof(p_results) is distinct from 'array' or jsonb_array_length(p_results) not between 1 and 100 then
    perform private.refuse_field('results', 'must be a list of 1 to 100 reports');
  end if;
  -- All of them: nobody writes such numbers by mistake.
  if private.has_long_numbers(p_results) then
    perform private.refuse_field('results', private.long_number_rule());
  end if;
  if p_results @? '$[*].output_data ? (@ == null)' then
    p_results := (
      select json_agg(
        case when jsonb_typeof(r.value) = 'object' and r.value -> 'output_data' = 'null' then r.value - 'output_data' else r.value end
        order by r.place
      )::jsonb
      from jsonb_array_elements(p_results) with ordinality as r (value, place)
    );
  end if;
  v_plain := private.plain_reports(p_results);
  begin
    v_together := private.enter_batch(p_results, v_plain);
    if cardinality(v_plain) is distinct from jsonb_array_length(p_results) then
      perform private.lock_batch_artifacts(p_results);
    end if;
    v_answers := private.complete_together(v_plain, p_results, v_together);
  exception
    -- Somebody else has what one of them needs: each for itself, and none of them waits long.
    when lock_not_available then
      perform set_config('lock_timeout', '100ms', true);
      v_answers := array_fill(null::jsonb, array[jsonb_array_length(p_results)]);
    -- One of them cannot be applied with the others: each for itself, then.
    when sqlstate 'GE001' or data_exception or program_limit_exceeded or check_violation then
      begin
        perform private.enter_batch(p_results, null);
        perform private.lock_batch_artifacts(p_results);
      exception
        when lock_not_available then
          perform set_config('lock_timeout', '100ms', true);
      end;
      v_answers := array_fill(null::jsonb, array[jsonb_array_length(p_results)]);
  end;
  for v_item in
    select r.value as report, r.place
    from jsonb_array_elements(p_results) with ordinality as r (value, place)
    where v_answers[r.place] is null
    order by r.place
  loop
    if private.is_out_of_time() then
      v_answers[v_item.place] := private.refusal_answer('57014', null, null, null);
      continue;
    end if;
    begin
      v_answers[v_item.place] := private.complete_from_json(v_item.report) || '{"ok": true}';
    exception
      when query_canceled then
        perform private.run_out_of_time();
        v_answers[v_item.place] := private.refusal_answer('57014', null, null, null);
      when lock_not_available then
        v_answers[v_item.place] := private.refusal_answer('57014', null, null, null);
      when others then
        get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_answer := private.refusal_answer(sqlstate, v_message, v_detail, v_hint);
        if v_answer is null then
          raise;
        end if;
        v_answers[v_item.place] := v_answer;
    end;
  end loop;
  if not private.is_worker() then
    perform private.require_task_access(c.project_id)
    from (
      select distinct t.project_id
      from jsonb_array_elements(p_results) with ordinality as r (value, place)
      join public.agent_tasks as t on t.id = case when v_answers[r.place] -> 'ok' = 'true' then (r.value ->> 'task_id')::uuid end
    ) as c;
  end if;
  return jsonb_build_object('results', to_jsonb(v_answers));
end
$$;
create or replace function private.read_nodes(p_project_id uuid, p_definition jsonb)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with given as (
    select
      n.position as place,
      private.as_id(n.value -> 'id') as id,
      case when jsonb_typeof(n.value -> 'metadata') = 'object' then n.value -> 'metadata' else '{}' end
        || case when jsonb_typeof(n.value) = 'object' then n.value - 'metadata' - 'data' - 'id' else '{}' end as conf,
      n.value #>> '{metadata,type}' as metadata_type
    from jsonb_array_elements(p_definition -> 'nodes') with ordinality as n (value, position)
  ), typed as (
    select
      g.place,
      row_number() over (order by g.place) as position,
      g.id,
      g.conf,
      case
        when g.conf ->> 'type' in ('agent', 'map', 'approval', 'workflow') then g.conf ->> 'type'
        when g.metadata_type in ('agent', 'map', 'approval', 'workflow') then g.metadata_type
        when coalesce(g.conf ->> 'type', 'runnable') in ('runnable', 'schema', 'unknown') then 'agent'
      end as type
    from given as g
    where g.id is distinct from '__start__' and g.id is distinct from '__end__'
  ), resolved as (
    select
      t.*,
      coalesce(
        t.conf ->> 'agent_type',
        case when private.is_agent_type(p_project_id, t.id) then t.id end,
        (select p_definition #>> '{defaults,agent_type}')
      ) as agent_type
    from typed as t
  )
  select coalesce(json_agg(jsonb_build_object(
    'position', r.position, 'node_id', coalesce(nullif(r.id, ''), format('nodes[%s]', r.place - 1)),
    'has_id', coalesce(r.id, '') <> '', 'type', r.type, 'conf', r.conf, 'agent_type', r.agent_type
  ) order by r.position)::jsonb, '[]')
  from resolved as r
$$;
create or replace function private.graph_rows(p_definition jsonb, p_nodes jsonb, p_edges jsonb, p_trace private.graph_trace, p_is_import boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with known as (
    select
      p_trace.place[(n ->> 'position')::integer] as node_index, (n ->> 'position')::integer as position, n,
      n -> 'conf' as conf
    from jsonb_array_elements(p_nodes) as n
    where p_trace.reached[(n ->> 'position')::integer] or not p_is_import
  ), given as (
    select
      case when e ->> 'source_position' = '0' then 0 else s.node_index end as source_index,
      case when e ->> 'target_position' <> '-1' then t.node_index end as target_index,
      (e ->> 'position')::integer as place, e
    from jsonb_array_elements(p_edges) as e
    left join known as s on s.position = (e ->> 'source_position')::integer
    left join known as t on t.position = (e ->> 'target_position')::integer
    where (s.node_index is not null or e ->> 'source_position' = '0')
      and (t.node_index is not null or e ->> 'target_position' = '-1')
  ), complete as (
    select g.source_index, g.target_index, g.place, g.e from given as g
    union all
    -- A node without a way on leads to the end, so that the end counts every branch.
    select k.node_index, null, 0, '{}' from known as k
    where not exists (select from given as g where g.source_index = k.node_index and g.e -> 'loop' = 'null')
    union all
    -- Without a __start__ it leads to the nodes that nothing leads to.
    select 0, k.node_index, 0, '{}' from known as k
    where not exists (select from given as g where g.source_index = 0)
      and not exists (select from given as g where g.target_index = k.node_index and g.e -> 'loop' = 'null')
  ), edges as (
    select
      row_number() over (order by c.source_index, c.place, c.target_index)::integer as edge_index, c.source_index, c.target_index,
      c.e ->> 'label' as label, c.e ->> 'when' as predicate, coalesce(c.e -> 'loop', 'null') <> 'null' as is_loop,
      (c.e #>> '{loop,max_iterations}')::numeric::integer as loop_max_iterations,
      coalesce(c.e #>> '{loop,on_exhausted}', 'continue') as loop_on_exhausted, c.place
    from complete as c
  ), numbered as (
    -- As they were traced: with those of nodes that are left out.
    select e.edge_index, e.source_index, l.number
    from edges as e
    join (
      select (x ->> 'position')::integer as place, row_number() over (order by (x ->> 'position')::integer)::integer as number
      from jsonb_array_elements(p_edges) as x
      where x -> 'loop' <> 'null' and (x ->> 'source_position')::integer > 0 and (x ->> 'target_position')::integer > 0
    ) as l on l.place = e.place
    where e.is_loop
  ), families as (
    select p_trace.families -> (l.number - 1) as family, array_agg(distinct l.source_index order by l.source_index) as sources,
      min(l.edge_index) as first_edge
    from numbered as l
    group by p_trace.families -> (l.number - 1)
  ), bodies as (
    select l.edge_index, f.sources, f.first_edge, array_agg(k.node_index order by k.node_index) as body
    from numbered as l
    join families as f on f.family = p_trace.families -> (l.number - 1)
    cross join lateral jsonb_array_elements_text(p_trace.loops -> (l.number - 1)) as b (position)
    join known as k on k.position = b.position::integer
    group by l.edge_index, f.sources, f.first_edge
  ), members as (
    select b.edge_index, b.sources, b.first_edge, cardinality(b.body) as size, n.node_index
    from bodies as b cross join lateral unnest(b.body) as n (node_index)
  ), rings as (
    -- A family counts its turns together, so one of it stands for all.
    select m.node_index, array_agg(m.edge_index order by m.size desc, m.sources[cardinality(m.sources)] desc, m.edge_index) as loops
    from members as m
    where m.edge_index = m.first_edge
    group by m.node_index
  ), core_members as (
    select l.edge_index, k.node_index
    from numbered as l
    cross join lateral jsonb_array_elements_text(p_trace.cores -> (l.number - 1)) as c (position)
    join known as k on k.position = c.position::integer
  ), detours as (
    select l.edge_index, d.place::integer as place
    from numbered as l cross join lateral jsonb_array_elements_text(p_trace.detours -> (l.number - 1)) as d (place)
  ), gates as (
    -- What leaves a core waits until its loop is done with it, but for detours; what leaves a body waits for every loop inside as well, and
    -- for those beside it, of which a turn could open it again.
    select e.edge_index, m.edge_index as gate
    from edges as e
    join core_members as m on m.node_index = e.source_index
    left join core_members as c on c.edge_index = m.edge_index and c.node_index = e.target_index
    left join detours as d on d.edge_index = m.edge_index and d.place = e.place
    where not e.is_loop and c.edge_index is null and d.edge_index is null
    union
    select e.edge_index, i.edge_index
    from edges as e
    join members as m on m.node_index = e.source_index
    left join members as b on b.edge_index = m.edge_index and b.node_index = e.target_index
    join numbered as l on l.edge_index = m.edge_index
    cross join lateral jsonb_array_elements_text(p_trace.inside -> (l.number - 1)) as n (number)
    join numbered as i on i.number = n.number::integer
    where not e.is_loop and b.edge_index is null
    union
    select e.edge_index, i.edge_index
    from edges as e
    join members as m on m.node_index = e.source_index
    left join members as b on b.edge_index = m.edge_index and b.node_index = e.target_index
    join numbered as l on l.edge_index = m.edge_index
    cross join lateral jsonb_array_elements_text(p_trace.beside -> (l.number - 1)) as n (number)
    join numbered as i on i.number = n.number::integer
    left join members as t on t.edge_index = i.edge_index and t.node_index = e.target_index
    where not e.is_loop and b.edge_index is null and t.edge_index is null
  ), exits as (
    select g.edge_index, array_agg(g.gate order by g.gate) as gates from gates as g group by g.edge_index
  ), entrances as (
    select distinct e.edge_index
    from edges as e
    join members as m on m.node_index = e.target_index
    left join members as inside on inside.edge_index = m.edge_index and inside.node_index = e.source_index
    where not e.is_loop and inside.edge_index is null
  ), labelled as (
    select distinct e.source_index from edges as e where e.label is not null
  ), mode as (
    select case
      when exists (select from bodies) or exists (select from known as k where k.conf ->> 'join' = 'any') then 'serial'
      when exists (
        select from known as k where k.n ->> 'type' <> 'agent' or coalesce(k.conf ->> 'on_failure', 'fail') <> 'fail'
      ) or exists (select from edges as e where e.label is not null or e.predicate is not null) then 'graph'
      else 'plain'
    end as mode
  ), incoming as (
    -- In a plain graph the start is no edge: what only it leads to begins at once.
    select coalesce(e.target_index, -1) as target, count(*)::integer as n
    from edges as e
    where not e.is_loop and (e.source_index > 0 or (select m.mode from mode as m) <> 'plain')
    group by coalesce(e.target_index, -1)
  ), sharded as (
    select i.target, i.n, case
      when m.mode <> 'plain' or i.n = 1 then 0
      when i.n > 4 then least(16, (i.n + 3) / 4)
      when i.target = -1 then 0
      else 1
    end as shards
    from incoming as i cross join mode as m
  ), steps as (
    select e.source_index, coalesce(e.target_index, -1) as target,
      -- Only this edge leads there, and the task asks for nothing but the output.
      s.n = 1 and k.node_index is not null as is_direct,
      case
        when s.shards = 1 then 0
        when s.shards > 1 then 1 + (row_number() over (partition by e.target_index order by e.edge_index) - 1) % s.shards
      end::smallint as shard
    from edges as e
    join sharded as s on s.target = coalesce(e.target_index, -1)
    left join known as k
      on k.node_index = e.target_index and jsonb_typeof(coalesce(k.conf -> 'input', 'null')) = 'null'
      and coalesce(private.as_integer(k.conf -> 'delay_seconds'), 0) = 0
    where e.source_index > 0 and not e.is_loop
  ), plans as (
    select
      s.source_index,
      array_agg(s.target order by s.target) filter (where s.is_direct) as unlocks,
      array_agg(s.target order by s.target, s.shard) filter (where not s.is_direct) as counts,
      array_agg(s.shard order by s.target, s.shard) filter (where not s.is_direct) as count_shards
    from steps as s
    where (select m.mode from mode as m) = 'plain'
    group by s.source_index
  )
  select jsonb_build_object(
    'mode', (select m.mode from mode as m),
    'end_edges', coalesce((select s.n from sharded as s where s.target = -1), 0),
    'end_shards', coalesce((select s.shards from sharded as s where s.target = -1), 0),
    'concurrency_limit', private.as_integer(p_definition -> 'concurrency_limit'),
    'has_predicates', exists (select from edges as e where e.predicate is not null),
    'reducers', coalesce(nullif(p_definition -> 'state', 'null'), '{}'),
    'nodes', (
      select json_agg(jsonb_build_object(
        'node_index', k.node_index,
        'node_id', k.n ->> 'node_id',
        'type', k.n ->> 'type',
        'agent_type', k.n ->> 'agent_type',
        'agent_id', k.conf -> 'agent_id',
        'incoming', coalesce(s.n, 0),
        'shards', coalesce(s.shards, 0),
        'is_entry', s.n is null,
        'join_mode', coalesce(k.conf ->> 'join', 'all'),
        'input', nullif(k.conf -> 'input', 'null'),
        'max_attempts', case
          when k.n ->> 'type' in ('agent', 'map') then coalesce(private.as_integer(k.conf #> '{retry,max_attempts}'), 3) else 1
        end,
        'backoff_seconds', coalesce(private.as_integer(k.conf #> '{retry,backoff_seconds}'), 5),
        'timeout_seconds', private.as_integer(k.conf -> 'timeout_seconds'),
        'delay_seconds', coalesce(private.as_integer(k.conf -> 'delay_seconds'), 0),
        'priority', coalesce(private.as_integer(k.conf -> 'priority'), 0),
        'on_failure', coalesce(k.conf ->> 'on_failure', 'fail'),
        'has_labels', l.source_index is not null,
        'unlocks', coalesce(p.unlocks, '{}'),
        'counts', coalesce(p.counts, '{}'),
        'count_shards', coalesce(p.count_shards, '{}'),
        'loops', coalesce(r.loops, '{}'),
        'options', k.conf - array[
          'type', 'agent_type', 'agent_id', 'join', 'input', 'retry', 'timeout_seconds', 'delay_seconds', 'priority', 'on_failure'
        ]
      ))::jsonb
      from known as k
      left join sharded as s on s.target = k.node_index
      left join plans as p on p.source_index = k.node_index
      left join labelled as l on l.source_index = k.node_index
      left join rings as r on r.node_index = k.node_index
    ),
    'edges', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'edge_index', e.edge_index, 'source_index', e.source_index, 'target_index', e.target_index, 'label', e.label,
        'predicate', e.predicate, 'loop_max_iterations', e.loop_max_iterations, 'loop_on_exhausted', e.loop_on_exhausted,
        'loop_body', b.body, 'loop_sources', b.sources, 'gates', x.gates, 'is_recorded', i.edge_index is not null or x.edge_index is not null
      )), '[]')
      from edges as e
      left join bodies as b on b.edge_index = e.edge_index
      left join exits as x on x.edge_index = e.edge_index
      left join entrances as i on i.edge_index = e.edge_index
      where e.source_index > 0 or (select m.mode from mode as m) <> 'plain'
    )
  )
$$;
