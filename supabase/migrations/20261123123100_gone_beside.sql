-- A start or a report that waited while its workflow was deleted was refused with a sentence that lacked its end: "no version .",
-- "it is .". What is gone is answered as what is gone, like everywhere else.

create or replace function private.start_workflow(p_workflow_id uuid, p_version integer, p_input jsonb, p_idempotency_key text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_workflow public.workflows;
  v_version public.workflow_versions;
  v_execution public.workflow_executions;
  v_input jsonb := coalesce(p_input, '{}');
begin
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id;
  if v_workflow.id is null or private.role_in_project(v_workflow.project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_workflow.project_id, 'editor');
  if jsonb_typeof(v_input) <> 'object' then
    perform private.refuse_field('input', 'must be an object');
  end if;
  if private.has_long_numbers(v_input) then
    perform private.refuse_field('input', private.long_number_rule());
  end if;
  if octet_length(v_input::text) > 1048576 then
    perform private.refuse('payload_too_large', 'The input is over 1 MiB.');
  end if;

  if p_idempotency_key is not null then
    if char_length(p_idempotency_key) not between 1 and 255 then
      perform private.refuse_field('idempotency_key', 'must have 1 to 255 characters');
    end if;
    -- Two requests with one key take turns here; the second finds what the first made.
    perform pg_advisory_xact_lock(private.lock_key('start:' || p_workflow_id || p_idempotency_key));
    select x.* into v_execution
    from public.workflow_executions as x
    where x.workflow_id = p_workflow_id and x.idempotency_key = p_idempotency_key;
    if v_execution.id is not null then
      perform private.require_standing(v_workflow.project_id, 'editor');
      if v_execution.input <> v_input or v_execution.version <> coalesce(p_version, v_execution.version) then
        perform private.refuse(
          'idempotency_conflict',
          'This idempotency key was used to start the workflow with another input or version.',
          jsonb_build_object('execution_id', v_execution.id)
        );
      end if;
      return private.start_answer(v_execution.id, true);
    end if;
  end if;

  -- A workflow that was never published is published by its first start; of two first starts the second one waits here
  -- and finds the version of the first.
  if v_workflow.current_version is null and p_version is null then
    v_workflow := private.lock_workflow(p_workflow_id);
  end if;
  if v_workflow.current_version is null and p_version is null then
    v_version := private.add_version(v_workflow, v_workflow.definition, null);
  else
    select v.* into v_version
    from public.workflow_versions as v
    where v.workflow_id = p_workflow_id and v.version = coalesce(p_version, v_workflow.current_version);
    if v_version.id is null and p_version is null then
      perform private.refuse('workflow_not_found', 'There is no such workflow any more.');
    elsif v_version.id is null then
      perform private.refuse('workflow_version_not_found', format('The workflow has no version %s.', p_version));
    end if;
  end if;

  perform private.require_role(v_workflow.project_id, 'editor');
  v_execution.id := private.create_execution(v_version, v_input, p_idempotency_key, null, null);
  if v_workflow.started_at is null then
    update public.workflows as w set started_at = now() where w.id = p_workflow_id and w.started_at is null;
    perform private.require_role(v_workflow.project_id, 'editor');
  end if;
  return private.start_answer(v_execution.id, false);
end
$$;

create or replace function private.answer_repeated_report(p_task_id uuid, p_digest bytea, p_report_digest text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks;
begin
  select t.* into v_task from public.agent_tasks as t where t.id = p_task_id;
  if v_task.id is null then
    perform private.refuse('task_not_found', 'There is no such task any more.');
  end if;
  if v_task.lease_digest is distinct from p_digest or v_task.report_digest is null then
    perform private.refuse(
      'task_lease_lost', format('This lease does not hold the task: it is %s.', v_task.status), jsonb_build_object('status', v_task.status)
    );
  end if;
  if v_task.report_digest <> p_report_digest then
    perform private.refuse(
      'task_already_reported', 'This attempt was already reported, with another result.', jsonb_build_object('status', v_task.status)
    );
  end if;
  return private.report_answer(v_task, (
    select e.data from public.execution_events as e
    where e.workflow_execution_id = v_task.workflow_execution_id and e.task_id = v_task.id
      and e.type in ('task.completed', 'task.failed', 'task.skipped', 'task.retry')
    order by e.transaction_id desc, e.id desc
    limit 1
  ));
end
$$;
