-- What a step says of itself: one event, with the tasks that it moved by the status they came to.

create function private.add_event(p_execution_id uuid, p_project_id uuid, p_task_id uuid, p_type text, p_data jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values (p_execution_id, p_project_id, p_task_id, p_type, p_data);
end
$$;

create function private.refuse_large_input(p_node_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.refuse(
    'payload_too_large', format('The input of task %s would be over 1 MiB: report less output, or give the node an "input".', p_node_id),
    jsonb_build_object('node_id', p_node_id)
  );
end
$$;

-- The lists of moved tasks of two steps as one.
create function private.merge_moved(p_left jsonb, p_right jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_moved jsonb := p_left;
  v_status text;
begin
  for v_status in select k from jsonb_object_keys(p_right) as k loop
    v_moved := v_moved || jsonb_build_object(
      v_status, case when v_moved ? v_status then (v_moved -> v_status) || (p_right -> v_status) else p_right -> v_status end
    );
  end loop;
  return v_moved;
end
$$;

create function private.moved(p_status text, p_ids uuid[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when cardinality(p_ids) > 0 then jsonb_build_object(p_status, to_jsonb(p_ids)) else '{}' end;
end
$$;

-- Writes the event of a step with all it moved, and ends the execution where the outcome says so. Answers the moved tasks.
create function private.record_step(p_task public.agent_tasks, p_type text, p_data jsonb, p_outcome jsonb, p_alone boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.execution_events (workflow_execution_id, project_id, task_id, type, data)
  values (p_task.workflow_execution_id, p_task.project_id, p_task.id, p_type, p_data || (p_outcome -> 'moved'));
  if p_outcome ->> 'end' is not null then
    perform private.end_execution(p_task.workflow_execution_id, p_outcome ->> 'end', p_outcome ->> 'error', '{}', p_alone);
  end if;
  return p_outcome -> 'moved';
end
$$;
