-- A retry made everything that had been cancelled with the failure claimable at once, also what waited for its delay: a reminder
-- that was to go out after a day went out a day early. It waits until its time, as before the failure.

create or replace function private.reopen_tasks(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_moved jsonb;
begin
  with latest as (
    -- Older turns of a loop are history, and so are their elements.
    select t.*, n.on_failure, n.max_attempts as budget
    from public.agent_tasks as t
    join private.workflow_nodes as n on n.version_id = t.version_id and n.node_index = t.node_index
    join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
    where t.workflow_execution_id = p_execution_id
      and (t.status = 'cancelled' or t.status = 'failed' and (n.on_failure = 'fail' or t.id = p.ended_by))
      and t.iteration = (
        select c.iteration from public.agent_tasks as c
        where c.workflow_execution_id = p_execution_id and c.node_index = t.node_index and c.map_index is null
        order by c.iteration desc
        limit 1
      )
    order by t.node_index, t.iteration, t.map_index
    for no key update of t
  ), reopened as (
    update public.agent_tasks as t
    set
      status = case
        when l.map_index is not null then 'pending'
        when l.node_type = 'agent' and l.remaining = 0 then 'pending'
        when l.node_type = 'approval' and l.remaining = 0 then 'waiting'
        when l.node_type = 'map' and exists (
          select from public.agent_tasks as e
          where e.workflow_execution_id = p_execution_id and e.node_index = l.node_index and e.iteration = l.iteration
            and e.map_index is not null
        ) then 'waiting'
        when l.node_type = 'workflow' and exists (
          select from public.workflow_executions as x where x.parent_task_id = l.id and x.status in ('failed', 'cancelled')
        ) then 'waiting'
        else 'blocked'
      end,
      completed_at = null, error_message = null, lease_digest = null, report_digest = null,
      -- What waited for a time of its own waits for it still.
      available_at = case when l.status = 'cancelled' then greatest(l.available_at, now()) else now() end,
      -- Whoever was at work when it was cancelled did not fail: that attempt does not count.
      attempt = case when l.status = 'cancelled' and l.lease_digest is not null and l.report_digest is null then l.attempt - 1 else l.attempt end,
      max_attempts = case when l.status = 'failed' then l.attempt + l.budget else l.max_attempts end
    from latest as l
    where t.id = l.id
    returning t.id, t.status
  )
  select coalesce(json_object_agg(r.status, r.ids), '{}')::jsonb into v_moved
  from (select r.status, json_agg(r.id) as ids from reopened as r group by r.status) as r;
  update private.execution_progress as p set ended_by = null
  where p.workflow_execution_id = p_execution_id and p.ended_by is not null;
  return v_moved;
end
$$;
