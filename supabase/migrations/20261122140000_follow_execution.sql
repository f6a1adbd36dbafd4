-- follow_execution: a step of a reader in one request and one snapshot, where the log, the execution and its moved tasks
-- were three. Fifty readers of one run ask at the same moment, so each request less is time that all of them wait less.

-- The tasks that events tell of: their subjects, and those that their data lists by status.
create function private.tasks_of_events(p_execution_id uuid, p_events jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(private.task_json(t) order by t.node_index, t.iteration, t.map_index), '[]')
    from public.agent_tasks as t
    where t.workflow_execution_id = p_execution_id
      and t.id = any (array(
        select m.id::uuid
        from jsonb_array_elements(p_events) as e (event)
        cross join lateral (
          select e.event ->> 'task_id'
          union all
          select jsonb_array_elements_text(d.value)
          from jsonb_each(e.event -> 'data') as d
          where jsonb_typeof(d.value) = 'array'
        ) as m (id)
        where pg_input_is_valid(m.id, 'uuid')
      ))
  );
end
$$;

create function private.follow_execution(p_execution_id uuid, p_after text, p_limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- Asks for membership. Being stable, all of this sees what the caller's statement sees.
  v_log jsonb := private.list_events(p_execution_id, p_after, p_limit);
begin
  return v_log || jsonb_build_object(
    'execution', private.execution_json(p_execution_id),
    'tasks', private.tasks_of_events(p_execution_id, v_log -> 'events'),
    -- Committed, but behind the oldest transaction that is still writing: whoever reads on soon gets them.
    'is_behind', exists (
      select from public.execution_events as e
      where e.workflow_execution_id = p_execution_id and e.transaction_id >= pg_snapshot_xmin(pg_current_snapshot())
    )
  );
end
$$;

create function public.follow_execution(execution_id uuid, "after" text default null, "limit" integer default 200)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.follow_execution(follow_execution.execution_id, follow_execution."after", follow_execution."limit");
end
$$;

revoke execute on function private.tasks_of_events(uuid, jsonb), private.follow_execution(uuid, text, integer),
  public.follow_execution(uuid, text, integer)
from public, anon, authenticated, service_role;
grant execute on function private.follow_execution(uuid, text, integer), public.follow_execution(uuid, text, integer)
to authenticated, service_role;
