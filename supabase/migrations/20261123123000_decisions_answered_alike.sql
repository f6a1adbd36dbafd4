-- A decision that was sent again, because its answer was lost, was answered without what it had set going: whoever waits for
-- `unlocked` could not tell that anything had begun. The event of the completion names it, as it does for repeated reports.

create or replace function private.apply_decision(
  p_progress private.execution_progress, p_task_id uuid, p_person uuid, p_decision text, p_comment text, p_options jsonb,
  p_alone boolean
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks;
  v_earlier public.task_decisions;
  v_moved jsonb := '{}';
begin
  perform private.enter_execution(p_progress.root_execution_id, p_alone);
  perform private.enter_graph(p_progress.root_execution_id);
  select t.* into v_task from public.agent_tasks as t where t.id = p_task_id for no key update;
  if v_task.id is null then
    perform private.refuse('task_not_found', 'There is no such task any more.');
  end if;
  select d.* into v_earlier from public.task_decisions as d where d.task_id = p_task_id and d.user_id = p_person;
  if v_earlier.decision = p_decision then
    -- Only the decision that completed the task set anything going; of several approvals that is the last.
    return private.report_answer(v_task, coalesce((
      select e.data from public.execution_events as e
      where e.workflow_execution_id = v_task.workflow_execution_id and e.task_id = v_task.id
        and e.type = 'task.completed' and e.data ->> 'user_id' = p_person::text
      order by e.transaction_id desc, e.id desc
      limit 1
    ), '{}'));
  elsif v_earlier.id is not null then
    perform private.refuse('already_decided', format('You have already %s this.', v_earlier.decision));
  elsif v_task.status <> 'waiting' then
    perform private.refuse(
      'task_not_waiting', format('The task is %s, not waiting for a decision.', v_task.status), jsonb_build_object('status', v_task.status)
    );
  end if;
  insert into public.task_decisions (task_id, project_id, user_id, decision, comment)
  values (p_task_id, v_task.project_id, p_person, p_decision, p_comment);

  if p_decision = 'approved' and coalesce(private.as_integer(p_options -> 'approvals'), 1) > (
    select count(*) from public.task_decisions as d where d.task_id = p_task_id and d.decision = 'approved'
  ) then
    perform private.add_event(
      v_task.workflow_execution_id, v_task.project_id, v_task.id, 'task.decided',
      jsonb_build_object('decision', p_decision, 'user_id', p_person)
    );
    return private.report_answer(v_task, '{}');
  end if;
  update public.agent_tasks as t
  set status = 'completed', label = p_decision, completed_at = now(), output_data = jsonb_build_object(
    t.node_id, jsonb_build_object('decision', p_decision, 'comment', p_comment, 'decided_by', p_person, 'decided_at', now())
  )
  where t.id = p_task_id
  returning t.* into v_task;
  v_moved := private.record_step(
    v_task, 'task.completed', jsonb_build_object('decision', p_decision, 'user_id', p_person),
    private.settle(v_task.workflow_execution_id, array[v_task.id], '{}', false, p_alone), p_alone
  );
  return private.report_answer(v_task, v_moved);
end
$$;
