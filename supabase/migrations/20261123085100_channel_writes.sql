-- Which task wrote which of the channels that its version names, in the order of the fold: the last word on a channel is one
-- look into an index, however many tasks there were. Whatever completes a task, its row is where it is noticed.

create table private.channel_writes (
  workflow_execution_id uuid not null references public.workflow_executions (id) on delete cascade,
  channel text not null,
  fold_order integer[] not null,
  iteration integer not null,
  task_id uuid not null,
  primary key (workflow_execution_id, channel, fold_order, iteration)
);

create function private.note_channel_writes()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into private.channel_writes (workflow_execution_id, channel, fold_order, iteration, task_id)
  select new.workflow_execution_id, k.channel, new.fold_order, new.iteration, new.id
  from jsonb_object_keys(
    case when jsonb_typeof(new.output_data) = 'object' then new.output_data else jsonb_build_object(new.node_id, null) end
  ) as k (channel)
  where exists (
    select from private.named_channels as c where c.version_id = new.version_id and c.channel = k.channel
  )
  on conflict (workflow_execution_id, channel, fold_order, iteration) do nothing;
  return null;
end
$$;
revoke execute on function private.note_channel_writes() from public, anon, authenticated, service_role;

-- Elements of a map write nothing: their outputs are the map's. Where nothing is named, tasks outside of loops have no
-- fold_order, and a completion does not pay for this.
create trigger agent_tasks_note_writes after update of status on public.agent_tasks
for each row when (
  new.status = 'completed' and old.status <> 'completed' and new.map_index is null and new.output_data is not null
  and new.fold_order is not null
)
execute function private.note_channel_writes();

-- A fork begins with tasks that are completed.
create trigger agent_tasks_note_copied_writes after insert on public.agent_tasks
for each row when (
  new.status = 'completed' and new.map_index is null and new.output_data is not null and new.fold_order is not null
)
execute function private.note_channel_writes();

create or replace function private.create_execution(
  p_version public.workflow_versions, p_input jsonb, p_idempotency_key text, p_parent_task_id uuid, p_forked_from uuid
)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_graph private.workflow_graphs;
  v_execution_id uuid;
  v_pending uuid[];
  v_too_large text;
  v_outcome jsonb;
  -- All of an id but its last two bytes, which are the task's place in the graph.
  v_ids text := left(gen_random_uuid()::text, 32);
begin
  insert into public.workflow_executions (
    workflow_id, project_id, version_id, version, state, input, idempotency_key, started_by, parent_task_id, forked_from
  )
  values (
    p_version.workflow_id, p_version.project_id, p_version.id, p_version.version, p_input, p_input, p_idempotency_key,
    -- What runs inside another was started by whoever started that: whose claim or report set it going may be a stranger.
    case
      when p_parent_task_id is null then auth.uid()
      else (
        select x.started_by from public.agent_tasks as t join public.workflow_executions as x on x.id = t.workflow_execution_id
        where t.id = p_parent_task_id
      )
    end,
    p_parent_task_id, p_forked_from
  )
  returning id into v_execution_id;
  v_graph := private.prepare_execution(v_execution_id, p_version, p_parent_task_id);

  with added as (
    insert into public.agent_tasks (
      id, workflow_execution_id, project_id, version_id, agent_id, agent_type, node_id, node_index, node_type, priority, status,
      remaining, has_live_edge, max_attempts, timeout_seconds, available_at, input_data, fold_order
    )
    select
      (v_ids || lpad(to_hex(n.node_index), 4, '0'))::uuid, v_execution_id, p_version.project_id, p_version.id, a.id,
      coalesce(n.agent_type, n.type), n.node_id, n.node_index, n.type, n.priority, case when n.is_entry then 'pending' else 'blocked' end,
      case when v_graph.mode = 'plain' and n.shards > 0 then n.shards else n.incoming end, n.is_entry, n.max_attempts, n.timeout_seconds,
      case when n.delay_seconds = 0 then now() else now() + make_interval(secs => n.delay_seconds) end,
      case when n.is_entry and n.input is null then p_input when n.is_entry then private.read_mapping(n.input, (select private.fold_state(v_execution_id))) end,
      case
        when n.loops <> '{}' then private.fold_order(v_execution_id, p_version.id, n.loops, n.node_index)
        when v_graph.names_channels then array[n.node_index]
      end
    from private.workflow_nodes as n
    -- An agent may have been removed since: the task then goes to any worker of its type.
    left join public.agents as a on a.id = n.agent_id
    where n.version_id = p_version.id
    order by n.node_index
    returning id, status, node_id, pg_column_size(input_data) > 131072 and octet_length(input_data::text) > 1048576 as is_large
  )
  select array_agg(a.id) filter (where a.status = 'pending'), min(a.node_id) filter (where a.is_large)
  into v_pending, v_too_large
  from added as a;
  if v_too_large is not null then
    perform private.refuse_large_input(v_too_large);
  end if;

  if v_graph.mode = 'plain' then
    v_outcome := jsonb_build_object('moved', private.moved('pending', v_pending));
  else
    v_outcome := private.settle(v_execution_id, '{}', '{}', true, true);
    v_outcome := v_outcome || jsonb_build_object(
      'moved', private.merge_moved(private.moved('pending', v_pending), v_outcome -> 'moved')
    );
  end if;
  perform private.add_event(
    v_execution_id, p_version.project_id, null, 'execution.started',
    jsonb_build_object('version', p_version.version) || (v_outcome -> 'moved')
  );
  if v_outcome ->> 'end' is not null then
    perform private.end_execution(v_execution_id, v_outcome ->> 'end', v_outcome ->> 'error', '{}', true);
  end if;
  return v_execution_id;
end
$$;
