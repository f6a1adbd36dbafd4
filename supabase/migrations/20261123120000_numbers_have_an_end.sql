-- A number may have any number of digits as text and next to none where it is stored: 1e131071 takes sixteen bytes there. What
-- the engine measured where it is stored, as six times as much at most, was the output of a task: twenty kilobytes of such
-- numbers became the input of the next task, which was hundreds of megabytes as text. No claim could answer it within its time,
-- and no worker got anything any more, in whatever project. So numbers that no JavaScript could write are refused where JSON
-- comes in, and where a task is given any. The functions have refused them before.

-- Is there a number with more digits than a double can have, before or behind the point? All of it is looked at.
create function private.has_long_numbers(p_value jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Next to no JSON has many numbers, and most of it has none.
  return jsonb_path_exists(p_value, 'strict $.** ? (@.type() == "number")') and exists (
    select from jsonb_path_query(p_value, 'strict $.** ? (@.type() == "number")') as n (value)
    where abs(n.value::numeric) >= 1e400 or scale(n.value::numeric) > 400
  );
end
$$;
revoke execute on function private.has_long_numbers(jsonb) from public, anon;
-- Triggers ask it for whoever writes a row.
grant execute on function private.has_long_numbers(jsonb) to authenticated, service_role;

create function private.long_number_rule()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'must not hold a number of more than 400 digits'
$$;
revoke execute on function private.long_number_rule() from public, anon, authenticated, service_role;

-- What a mapping works out, too: paths multiply.
create or replace function private.refuse_nested_json()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_value jsonb := case tg_argv[0] when 'input_data' then new.input_data else new.output_data end;
begin
  if jsonb_path_exists(v_value, '$.**{5000}') then
    raise exception using
      errcode = 'statement_too_complex', message = format('The %s of task %s nests more than 5000 deep.', tg_argv[0], new.node_id);
  end if;
  if private.has_long_numbers(v_value) then
    perform private.refuse(
      'payload_too_large', format('The %s of task %s would hold a number of more than 400 digits.', tg_argv[0], new.node_id),
      jsonb_build_object('node_id', new.node_id)
    );
  end if;
  return null;
end
$$;

drop trigger agent_tasks_refuse_nested_input on public.agent_tasks;
create trigger agent_tasks_refuse_nested_input after insert or update of input_data on public.agent_tasks
for each row when (
  pg_column_size(new.input_data) > 40000
  or pg_column_size(new.input_data) > 100 and jsonb_path_exists(new.input_data, 'strict $.** ? (@.type() == "number")')
)
execute function private.refuse_nested_json('input_data');

drop trigger agent_tasks_refuse_nested_output on public.agent_tasks;
create trigger agent_tasks_refuse_nested_output after insert or update of output_data on public.agent_tasks
for each row when (
  pg_column_size(new.output_data) > 40000
  or pg_column_size(new.output_data) > 100 and jsonb_path_exists(new.output_data, 'strict $.** ? (@.type() == "number")')
)
execute function private.refuse_nested_json('output_data');

create or replace function private.complete_task(
  p_task_id uuid, p_lease_token uuid, p_status text, p_output_data jsonb, p_error_message text, p_execution_time_ms integer,
  p_label text, p_artifacts jsonb, p_messages jsonb
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
  v_head record;
  v_progress private.execution_progress;
  v_alone boolean;
  v_is_person boolean := not private.is_worker();
  v_answer jsonb;
begin
  if p_status is null or p_status not in ('completed', 'failed') then
    perform private.refuse_field('status', 'must be completed or failed');
  end if;
  if p_execution_time_ms < 0 then
    perform private.refuse_field('execution_time_ms', 'must not be negative');
  end if;
  if char_length(p_label) > 200 then
    perform private.refuse_field('label', 'may have at most 200 characters');
  end if;
  if pg_column_size(p_output_data) > 100 and private.has_long_numbers(p_output_data) then
    perform private.refuse_field('output_data', private.long_number_rule());
  end if;
  if octet_length(p_error_message) > 1048576
    -- Text is at most thirty times as long as what is stored, and next to always less than twice: only what may be too long is written out to be measured.
    or (pg_column_size(p_output_data) > 131072 and octet_length(p_output_data::text) > 1048576)
   then
    perform private.refuse('payload_too_large', 'output_data and error_message may have 1 MiB each.');
  end if;
  select t.project_id, p as progress, o.status as project_status into v_head
  from public.agent_tasks as t
  join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
  join public.projects as o on o.id = t.project_id
  where t.id = p_task_id;
  if v_head.project_status is distinct from 'active' or v_is_person then
    perform private.require_task_access(v_head.project_id);
  end if;
  v_progress := v_head.progress;

  -- A failure may close every open task, and in a serial execution so may a completion. Elsewhere only the completion
  -- itself finds out that it does; it then begins again.
  v_alone := p_status = 'failed' or v_progress.mode = 'serial';
  if v_alone or (v_progress.mode = 'plain' and v_progress.depth = 0) then
    v_answer := private.report_task(
      v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
      p_messages, v_alone
    );
  else
    begin
      v_answer := private.report_task(
        v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
        p_messages, false
      );
    exception
      when sqlstate 'GE001' then
        v_answer := private.report_task(
          v_progress, p_task_id, p_lease_token, p_status, p_output_data, p_error_message, p_execution_time_ms, p_label, p_artifacts,
          p_messages, true
        );
    end;
  end if;
  if v_is_person then
    perform private.require_task_access(v_head.project_id);
  end if;
  return v_answer;
end
$$;

create or replace function private.plain_reports(p_results jsonb)
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
        and (pg_column_size(r.value -> 'output_data') > 100 and private.has_long_numbers(r.value -> 'output_data')) is not true
      order by r.task_id, r.place
    ) as x
  );
end
$$;

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
    if v_version.id is null then
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

create or replace function private.fork_execution(p_execution_id uuid, p_from_node text, p_input jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_answer jsonb;
begin
  if private.has_long_numbers(p_input) then
    perform private.refuse_field('input', private.long_number_rule());
  end if;
  v_answer := private.fork_tasks(p_execution_id, p_from_node, p_input);
  insert into public.task_decisions (task_id, project_id, user_id, decision, comment, created_at)
  select k.id, d.project_id, d.user_id, d.decision, d.comment, d.created_at
  from public.task_decisions as d
  join public.agent_tasks as t on t.id = d.task_id
  join public.agent_tasks as k
    on k.workflow_execution_id = (v_answer #>> '{execution,id}')::uuid and k.node_index = t.node_index
      and k.iteration = t.iteration and k.map_index is null
  where t.workflow_execution_id = p_execution_id and t.status = 'completed' and k.status = 'completed'
  order by d.created_at, d.id;
  return v_answer;
end
$$;
