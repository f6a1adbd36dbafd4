-- save_artifact: the next version of a path. One writer per path at a time (an advisory lock on project and path), so
-- numbers are gapless and a save based on an old version is told so instead of overwriting.

create function private.save_artifact(
  p_project_id uuid, p_file_path text, p_content text, p_name text, p_language text, p_type text, p_task_id uuid,
  p_metadata jsonb, p_base_version integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_path text := normalize(p_file_path, nfc);
  v_head public.code_artifacts;
  v_saved public.code_artifacts;
begin
  if v_path is null or not private.is_artifact_path(v_path) then
    perform private.refuse_field('file_path', private.artifact_path_rule());
  end if;
  if p_content is null then
    perform private.refuse_field('content', 'is missing');
  end if;
  if octet_length(p_content) > 1048576 then
    perform private.refuse('payload_too_large', 'An artifact has at most 1 MiB of text.');
  end if;
  if coalesce(p_type, 'file') not in ('file', 'component', 'snippet') then
    perform private.refuse_field('type', 'must be file, component or snippet');
  end if;
  if char_length(btrim(p_name)) not between 1 and 255 then
    perform private.refuse_field('name', 'must have 1 to 255 characters');
  end if;
  if char_length(p_language) > 100 then
    perform private.refuse_field('language', 'must have at most 100 characters');
  end if;
  if jsonb_typeof(coalesce(p_metadata, '{}')) <> 'object' then
    perform private.refuse_field('metadata', 'must be an object');
  end if;
  if p_task_id is not null and not exists (
    select from public.agent_tasks as t where t.id = p_task_id and t.project_id = p_project_id
  ) then
    perform private.refuse('task_not_found', 'There is no such task in this project.');
  end if;

  perform pg_advisory_xact_lock(hashtextextended('artifact:' || p_project_id || v_path, 0));
  select a.* into v_head
  from public.code_artifacts as a where a.project_id = p_project_id and a.file_path = v_path and a.is_active;

  if p_base_version is not null and p_base_version <> coalesce(v_head.version, 0) then
    perform private.refuse(
      'artifact_conflict',
      case
        when p_base_version < coalesce(v_head.version, 0)
          then format('The file is at version %s; your change was based on version %s.', v_head.version, p_base_version)
        else format('There is no version %s of this file: its head is %s.', p_base_version, coalesce(v_head.version, 0))
      end,
      jsonb_build_object('file_path', v_path, 'head_version', coalesce(v_head.version, 0), 'base_version', p_base_version)
    );
  end if;
  if v_head.id is not null and v_head.content = p_content then
    return jsonb_build_object('artifact', to_jsonb(v_head), 'merged', false, 'unchanged', true);
  end if;

  if v_head.id is not null then
    update public.code_artifacts as a set is_active = false where a.id = v_head.id;
  end if;
  insert into public.code_artifacts (
    project_id, task_id, name, file_path, language, content, type, version, metadata, created_by
  )
  values (
    p_project_id, p_task_id, coalesce(p_name, v_head.name, left(regexp_replace(v_path, '^.*/', ''), 255)), v_path,
    coalesce(p_language, v_head.language), p_content, coalesce(p_type, v_head.type, 'file'), coalesce(v_head.version, 0) + 1,
    coalesce(p_metadata, '{}'), auth.uid()
  )
  returning * into v_saved;
  return jsonb_build_object('artifact', to_jsonb(v_saved), 'merged', false, 'unchanged', false);
end
$$;

create function private.save_artifact_as_caller(
  p_project_id uuid, p_file_path text, p_content text, p_name text, p_language text, p_type text, p_task_id uuid,
  p_metadata jsonb, p_base_version integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_role(p_project_id, 'editor');
  return private.save_artifact(
    p_project_id, p_file_path, p_content, p_name, p_language, p_type, p_task_id, p_metadata, p_base_version
  );
end
$$;

create function public.save_artifact(
  project_id uuid, file_path text, content text, name text default null, language text default null, type text default null,
  task_id uuid default null, metadata jsonb default null, base_version integer default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.save_artifact_as_caller(
    save_artifact.project_id, save_artifact.file_path, save_artifact.content, save_artifact.name, save_artifact.language,
    save_artifact.type, save_artifact.task_id, save_artifact.metadata, save_artifact.base_version
  );
end
$$;
grant execute on function private.save_artifact_as_caller(uuid, text, text, text, text, text, uuid, jsonb, integer)
to authenticated, service_role;
grant execute on function public.save_artifact(uuid, text, text, text, text, text, uuid, jsonb, integer)
to authenticated, service_role;

-- What a task brings along with its completion, in the same commit: artifacts of its project, messages of its sessions.
-- A worker speaks as the assistant or the system; a person who reports a task writes as anyone does: as themselves, in
-- the sessions they take part in.
create function private.save_task_results(p_task public.agent_tasks, p_artifacts jsonb, p_messages jsonb)
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
  if jsonb_typeof(coalesce(p_artifacts, '[]')) <> 'array' then
    perform private.refuse_field('artifacts', 'must be a list');
  end if;
  if jsonb_typeof(coalesce(p_messages, '[]')) <> 'array' then
    perform private.refuse_field('messages', 'must be a list');
  end if;
  if jsonb_array_length(p_artifacts) > 100 then
    perform private.refuse_field('artifacts', 'may have at most 100 entries');
  end if;
  if jsonb_array_length(p_messages) > 100 then
    perform private.refuse_field('messages', 'may have at most 100 entries');
  end if;
  -- In path order, so that two tasks writing the same files wait in line instead of for each other.
  for v_item in
    select a.value from jsonb_array_elements(p_artifacts) as a order by normalize(a.value ->> 'file_path', nfc)
  loop
    if jsonb_typeof(v_item -> 'base_version') not in ('number', 'null')
      or not pg_input_is_valid(coalesce(v_item ->> 'base_version', '0'), 'integer')
    then
      perform private.refuse_field('artifacts', 'must have whole numbers as base_version');
    end if;
    perform private.save_artifact(
      p_task.project_id, v_item ->> 'file_path', v_item ->> 'content', v_item ->> 'name', v_item ->> 'language',
      v_item ->> 'type', p_task.id, v_item -> 'metadata', (v_item ->> 'base_version')::integer
    );
  end loop;

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
