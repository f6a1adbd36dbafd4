-- Who may listen and speak on the private topics of Realtime: project:<id>, execution:<id> and chat:<session id>.
-- Listening follows the tables: whoever may read the rows hears of their changes. Speaking is for members, in a chat for
-- those who may write in it. Every other topic is closed.

-- Whether the caller may use a topic, which is any text a client thought of: what is not exactly one of ours is refused
-- before anything is cast.
create function private.may_use_topic(p_topic text, p_purpose text)
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
    return v_id::uuid in (select private.chat_session_ids(case p_purpose when 'receive' then 'read' else 'write' end));
  end if;
  v_role := private.role_in_project(case v_kind
    when 'project' then v_id::uuid
    else (select x.project_id from public.workflow_executions as x where x.id = v_id::uuid)
  end);
  return v_role is not null and (p_purpose = 'receive' or v_role <> 'reader');
end
$$;
grant execute on function private.may_use_topic(text, text) to authenticated, service_role;

-- Guarded, so that a database without Realtime still migrates. A policy speaks of the topic that is being joined or sent
-- to; comparing the row's own topic with it leaves nothing to a caller who could set it.
do $$
begin
  if to_regclass('realtime.messages') is null then
    return;
  end if;
  execute $policy$
    create policy "readers can receive what is sent about what they read" on realtime.messages
    for select to authenticated
    using (
      extension in ('broadcast', 'presence')
      and topic = (select realtime.topic())
      and (select private.may_use_topic((select realtime.topic()), 'receive'))
    )
  $policy$;
  execute $policy$
    create policy "members can send messages and show their presence" on realtime.messages
    for insert to authenticated
    with check (
      extension in ('broadcast', 'presence')
      and topic = (select realtime.topic())
      and (select private.may_use_topic((select realtime.topic()), 'send'))
    )
  $policy$;
end
$$;
