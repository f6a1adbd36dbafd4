-- What a task brings along with its completion, over stored contents: an artifact may also be a deletion
-- (`{"file_path": …, "deleted": true}`). Two tasks that bring the same files, or the same texts under other paths, wait
-- in line instead of for each other: what they will write is held before the first is written, texts too, and by a batch
-- of tasks for all of them.

create function private.task_artifact_keys(p_project_id uuid, p_artifacts jsonb)
returns setof bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return query
  select private.artifact_key(p_project_id, k.name)
  from jsonb_array_elements(case when jsonb_typeof(p_artifacts) = 'array' then p_artifacts else '[]' end) as a
  cross join lateral (
    values (normalize(a.value ->> 'file_path', nfc)), (private.sha256_hex(a.value ->> 'content'))
  ) as k (name)
  where k.name is not null;
end
$$;

-- For several reports in one transaction, as complete_tasks takes them.
create function private.lock_batch_artifacts(p_results jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.lock_artifact_keys(
    array(
      select k.key
      from jsonb_array_elements(p_results) as r
      join public.agent_tasks as t
      on t.id = case when pg_input_is_valid(r.value ->> 'task_id', 'uuid') then (r.value ->> 'task_id')::uuid end
      cross join lateral private.task_artifact_keys(t.project_id, r.value -> 'artifacts') as k (key)
      -- Nobody holds up the files of a project that they may not write to.
      where private.is_worker() or t.project_id in (select private.project_ids('editor'))
    )
  );
end
$$;

create function private.save_task_artifacts(p_task public.agent_tasks, p_artifacts jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_item jsonb;
begin
  if jsonb_typeof(coalesce(p_artifacts, '[]')) <> 'array' then
    perform private.refuse_field('artifacts', 'must be a list');
  end if;
  if jsonb_array_length(p_artifacts) > 100 then
    perform private.refuse_field('artifacts', 'may have at most 100 entries');
  end if;

  perform private.lock_artifact_keys(array(select private.task_artifact_keys(p_task.project_id, p_artifacts)));
  for v_item in
    select a.value from jsonb_array_elements(p_artifacts) as a
  loop
    if jsonb_typeof(v_item -> 'base_version') not in ('number', 'null')
      or not pg_input_is_valid(coalesce(v_item ->> 'base_version', '0'), 'integer')
    then
      perform private.refuse_field('artifacts', 'must have whole numbers as base_version');
    end if;
    if v_item -> 'deleted' is not distinct from 'true' then
      perform private.delete_artifact(
        p_task.project_id, v_item ->> 'file_path', p_task.id, (v_item ->> 'base_version')::integer
      );
    else
      perform private.save_artifact(
        p_task.project_id, v_item ->> 'file_path', v_item ->> 'content', v_item ->> 'name', v_item ->> 'language',
        v_item ->> 'type', p_task.id, v_item -> 'metadata', (v_item ->> 'base_version')::integer
      );
    end if;
  end loop;
end
$$;

-- A worker speaks as the assistant or the system; a person who reports a task writes as anyone does: as themselves, in
-- the sessions they take part in.
create function private.save_task_messages(p_task public.agent_tasks, p_messages jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_item jsonb;
  v_session_id uuid;
  v_role text;
begin
  if jsonb_typeof(coalesce(p_messages, '[]')) <> 'array' then
    perform private.refuse_field('messages', 'must be a list');
  end if;
  if jsonb_array_length(p_messages) > 100 then
    perform private.refuse_field('messages', 'may have at most 100 entries');
  end if;
  for v_item in
    select m.value from jsonb_array_elements(p_messages) as m
  loop
    v_role := coalesce(v_item ->> 'role', case when private.is_worker() then 'assistant' else 'user' end);
    if not pg_input_is_valid(coalesce(v_item ->> 'session_id', ''), 'uuid') then
      perform private.refuse_field('messages', 'must name their session_id');
    end if;
    if coalesce(v_item ->> 'content', '') = '' then
      perform private.refuse_field('messages', 'must have content');
    end if;
    if v_role not in ('user', 'assistant', 'system') then
      perform private.refuse_field('messages', 'must have the role assistant or system');
    end if;
    if (v_role = 'user') = private.is_worker() then
      perform private.refuse('forbidden', 'Workers write as assistant or system, people as user.');
    end if;
    v_session_id := (v_item ->> 'session_id')::uuid;
    if not exists (
      select from public.chat_sessions as s
      where s.id = v_session_id and s.project_id = p_task.project_id
        and (private.is_worker() or s.id in (select private.chat_session_ids('write')))
    ) then
      perform private.refuse('session_not_found', 'There is no such chat session in this project.');
    end if;
    insert into public.chat_messages (session_id, task_id, user_id, role, content, artifacts, metadata)
    values (
      v_session_id, p_task.id, auth.uid(), v_role, v_item ->> 'content', coalesce(v_item -> 'artifacts', '[]'),
      coalesce(v_item -> 'metadata', '{}')
    );
  end loop;
end
$$;

create or replace function private.save_task_results(p_task public.agent_tasks, p_artifacts jsonb, p_messages jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.save_task_artifacts(p_task, p_artifacts);
  perform private.save_task_messages(p_task, p_messages);
end
$$;
