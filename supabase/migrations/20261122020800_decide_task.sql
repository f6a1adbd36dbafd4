-- decide_task: a person approves or rejects. One rejection decides; of approvals, as many different people are needed as
-- the node asks for. The decision is the label that its edges are chosen by.

create function private.require_person()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  if auth.uid() is null then
    perform private.refuse('forbidden', 'Only a person can do this: call it with a user token.');
  end if;
  return auth.uid();
end
$$;

create function private.decide_task(p_task_id uuid, p_decision text, p_comment text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_person uuid := private.require_person();
  v_project_id uuid;
  v_options jsonb;
  v_progress private.execution_progress;
begin
  if p_decision is null or p_decision not in ('approved', 'rejected') then
    perform private.refuse_field('decision', 'must be approved or rejected');
  end if;
  if char_length(p_comment) > 10000 then
    perform private.refuse_field('comment', 'may have at most 10000 characters');
  end if;
  select t.project_id into v_project_id from public.agent_tasks as t where t.id = p_task_id;
  perform private.require_task_access(v_project_id);
  select n.options into v_options
  from public.agent_tasks as t
  join private.workflow_nodes as n on n.version_id = t.version_id and n.node_index = t.node_index
  where t.id = p_task_id and t.node_type = 'approval';
  if v_options is null then
    perform private.refuse('task_not_waiting', 'This task is no approval.');
  end if;
  perform private.require_role(v_project_id, coalesce(v_options ->> 'role', 'editor'));
  select p.* into v_progress
  from public.agent_tasks as t
  join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
  where t.id = p_task_id;
  begin
    return private.apply_decision(v_progress, p_task_id, v_person, p_decision, p_comment, v_options, v_progress.mode = 'serial');
  exception
    when sqlstate 'GE001' then
      return private.apply_decision(v_progress, p_task_id, v_person, p_decision, p_comment, v_options, true);
  end;
end
$$;

create function private.apply_decision(
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
  select d.* into v_earlier from public.task_decisions as d where d.task_id = p_task_id and d.user_id = p_person;
  if v_earlier.decision = p_decision then
    return private.report_answer(v_task, '{}');
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

create function public.decide_task(task_id uuid, decision text, comment text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.decide_task(decide_task.task_id, decide_task.decision, decide_task.comment);
end
$$;
grant execute on function private.decide_task(uuid, text, text), public.decide_task(uuid, text, text)
to authenticated, service_role;
