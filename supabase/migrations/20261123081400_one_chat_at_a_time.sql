-- Whoever wrote in a chat waited for a list of all chats they may write in: a viewer who opened a hundred thousand shared
-- ones slowed every message down of everybody in the project, in all of their projects, and with some more nobody could
-- write any more. What is asked now is the one chat that it is about.

create function private.may_use_session(p_session_id uuid, p_purpose text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
begin
  return exists (
    select from public.chat_sessions as s
    join public.projects as p on p.id = s.project_id
    left join public.project_collaborators as c on c.project_id = p.id and c.user_id = v_user_id
    where s.id = p_session_id
      and (s.user_id = v_user_id or s.is_shared)
      and (p.owner_id = v_user_id or c.role = 'owner' or c.role is not null and p.status <> 'deleted')
      and (p_purpose = 'read' or p.status = 'active' and s.status = 'active')
  ) or p_purpose = 'read' and private.is_admin() and exists (
    select from public.chat_sessions as s where s.id = p_session_id
  );
end
$$;
revoke execute on function private.may_use_session(uuid, text) from public, anon, authenticated, service_role;

alter policy "members can write as themselves in sessions they take part in" on public.chat_messages
with check (
  role = 'user'
  and user_id = (select auth.uid())
  and exists (
    select from public.chat_sessions as s
    where s.id = chat_messages.session_id
      and s.status = 'active'
      and (s.user_id = (select auth.uid()) or s.is_shared)
      and s.project_id in (select private.project_ids('active_viewer'))
  )
);

create or replace function private.ask_session_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if exists (
    select from (select distinct m.session_id from added as m) as m where not private.may_use_session(m.session_id, 'write')
  ) then
    perform private.refuse('forbidden', 'You may no longer write in this chat.');
  end if;
  return null;
end
$$;

create or replace function private.may_use_topic(p_topic text, p_purpose text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_kind text := split_part(p_topic, ':', 1);
  v_id text := split_part(p_topic, ':', 2);
  v_role text;
begin
  if p_topic is null or v_kind not in ('project', 'execution', 'chat') or p_topic <> v_kind || ':' || v_id
    or v_id !~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  then
    return false;
  end if;
  if v_kind = 'chat' then
    return private.may_use_session(v_id::uuid, case p_purpose when 'receive' then 'read' else 'write' end);
  end if;
  v_role := private.role_in_project(case v_kind
    when 'project' then v_id::uuid
    else (select x.project_id from public.workflow_executions as x where x.id = v_id::uuid)
  end);
  return v_role is not null and (p_purpose = 'receive' or v_role <> 'reader');
end
$$;

create or replace function private.save_task_messages(p_task public.agent_tasks, p_messages jsonb)
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
        and (private.is_worker() or private.may_use_session(s.id, 'write'))
    ) then
      perform private.refuse('session_not_found', 'There is no such chat session in this project.');
    end if;
    insert into public.chat_messages (session_id, task_id, user_id, role, content, artifacts, metadata)
    values (
      v_session_id, p_task.id, auth.uid(), v_role, v_item ->> 'content', coalesce(v_item -> 'artifacts', '[]'),
      coalesce(v_item -> 'metadata', '{}')
    );
    -- By now it has waited for whoever was changing who may write there.
    if not private.is_worker() and not private.may_use_session(v_session_id, 'write') then
      perform private.refuse('session_not_found', 'You may no longer write in this chat session.');
    end if;
  end loop;
end
$$;

drop function private.chat_session_ids(text);
