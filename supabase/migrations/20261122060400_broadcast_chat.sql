-- Chat is told on chat:<session id>, which only those who may read the session can join; the project hears of a session
-- when it is shared with it. One message per statement and topic, with ids; what was said is read from the table.

create function private.broadcast_messages()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform private.broadcast('chat:' || m.session_id, 'messages', jsonb_build_object('change', 'delete', 'messages', jsonb_agg(
      jsonb_build_object('id', m.id, 'role', m.role, 'user_id', m.user_id) order by m.created_at, m.id
    )))
    from old_rows as m
    group by m.session_id;
  else
    perform private.broadcast('chat:' || m.session_id, 'messages', jsonb_build_object('change', lower(tg_op), 'messages', jsonb_agg(
      jsonb_build_object('id', m.id, 'role', m.role, 'user_id', m.user_id) order by m.created_at, m.id
    )))
    from new_rows as m
    group by m.session_id;
  end if;
  return null;
end
$$;
create trigger chat_messages_broadcast_insert after insert on public.chat_messages
referencing new table as new_rows for each statement execute function private.broadcast_messages();
create trigger chat_messages_broadcast_update after update on public.chat_messages
referencing new table as new_rows for each statement execute function private.broadcast_messages();
create trigger chat_messages_broadcast_delete after delete on public.chat_messages
referencing old table as old_rows for each statement execute function private.broadcast_messages();

-- Whether a session is shared decides who may listen: both sides of a change are told, on both topics.
create function private.broadcast_sessions()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform private.broadcast('project:' || s.project_id, 'sessions', jsonb_build_object('sessions', jsonb_agg(
      jsonb_build_object('id', s.id, 'status', s.status, 'is_shared', true)
    )))
    from new_rows as s
    where s.is_shared
    group by s.project_id;
  elsif tg_op = 'UPDATE' then
    perform private.broadcast('chat:' || s.id, 'session', jsonb_build_object(
      'session_id', s.id, 'status', s.status, 'is_shared', s.is_shared
    ))
    from new_rows as s;
    perform private.broadcast('project:' || s.project_id, 'sessions', jsonb_build_object('sessions', jsonb_agg(
      jsonb_build_object('id', s.id, 'status', s.status, 'is_shared', s.is_shared)
    )))
    from new_rows as s
    join old_rows as o on o.id = s.id
    where s.is_shared or o.is_shared
    group by s.project_id;
  else
    perform private.broadcast('chat:' || s.id, 'session', jsonb_build_object(
      'session_id', s.id, 'status', 'deleted', 'is_shared', s.is_shared
    ))
    from old_rows as s;
    perform private.broadcast('project:' || s.project_id, 'sessions', jsonb_build_object('sessions', jsonb_agg(
      jsonb_build_object('id', s.id, 'status', 'deleted', 'is_shared', true)
    )))
    from old_rows as s
    where s.is_shared
    group by s.project_id;
  end if;
  return null;
end
$$;
create trigger chat_sessions_broadcast_insert after insert on public.chat_sessions
referencing new table as new_rows for each statement execute function private.broadcast_sessions();
create trigger chat_sessions_broadcast_update after update on public.chat_sessions
referencing old table as old_rows new table as new_rows for each statement execute function private.broadcast_sessions();
create trigger chat_sessions_broadcast_delete after delete on public.chat_sessions
referencing old table as old_rows for each statement execute function private.broadcast_sessions();
