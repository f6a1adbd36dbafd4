-- execution_state and list_events: an execution as it stands, and what happens in it from there on.

-- The execution of a reader.
create function private.require_execution(p_execution_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
begin
  select x.project_id into v_project_id from public.workflow_executions as x where x.id = p_execution_id;
  if v_project_id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
end
$$;

-- The state is the fold of the outputs so far. events_after is the cursor to follow the events from: whatever is not in
-- this answer comes after it, and the little that is in both can be told by its ids.
create function private.execution_state(p_execution_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_execution(p_execution_id);
  return jsonb_build_object(
    'execution', private.execution_json(p_execution_id), 'tasks', private.tasks_json(p_execution_id, null), 'state', private.fold_state(p_execution_id),
    'events_after', pg_snapshot_xmin(pg_current_snapshot())::text || '-0'
  );
end
$$;

-- Events after a cursor, in the order of their transactions. Transactions commit out of order, so reading stops at the
-- oldest one that is still running: nothing can appear behind the cursor any more.
create function private.list_events(p_execution_id uuid, p_after text, p_limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_transaction_id xid8;
  v_id bigint;
  v_horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
  v_events jsonb;
  v_count integer;
  v_cursor text;
begin
  perform private.require_execution(p_execution_id);
  if p_limit is null or p_limit not between 1 and 1000 then
    perform private.refuse_field('limit', 'must be between 1 and 1000');
  end if;
  if coalesce(p_after, '0-0') !~ '^\d{1,19}-\d{1,19}$' or not pg_input_is_valid(split_part(coalesce(p_after, '0-0'), '-', 2), 'bigint') then
    perform private.refuse_field('after', 'must be a cursor from an earlier answer');
  end if;
  v_transaction_id := split_part(coalesce(p_after, '0-0'), '-', 1)::xid8;
  v_id := split_part(coalesce(p_after, '0-0'), '-', 2)::bigint;

  select
    coalesce(json_agg(json_build_object(
      'id', e.id, 'type', e.type, 'task_id', e.task_id, 'data', e.data, 'created_at', e.created_at
    ) order by e.transaction_id, e.id), '[]')::jsonb,
    count(*),
    (array_agg(e.transaction_id::text || '-' || e.id order by e.transaction_id desc, e.id desc))[1]
  into v_events, v_count, v_cursor
  from (
    select e.* from public.execution_events as e
    where e.workflow_execution_id = p_execution_id and e.transaction_id < v_horizon
      and (e.transaction_id, e.id) > (v_transaction_id, v_id)
    order by e.transaction_id, e.id
    limit p_limit
  ) as e;
  return jsonb_build_object(
    'events', v_events, 'cursor', coalesce(v_cursor, p_after, '0-0'), 'has_more', v_count = p_limit
  );
end
$$;

create function public.execution_state(execution_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.execution_state(execution_state.execution_id);
end
$$;

create function public.list_events(execution_id uuid, "after" text default null, "limit" integer default 200)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.list_events(list_events.execution_id, list_events."after", list_events."limit");
end
$$;
grant execute on function private.execution_state(uuid), public.execution_state(uuid),
  private.list_events(uuid, text, integer), public.list_events(uuid, text, integer)
to authenticated, service_role;
