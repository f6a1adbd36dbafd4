-- A session that is shared says so itself, once: that every message of it has other readers now is no news of messages.

create or replace function private.broadcast_messages()
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
  elsif tg_op = 'UPDATE' then
    perform private.broadcast('chat:' || m.session_id, 'messages', jsonb_build_object('change', 'update', 'messages', jsonb_agg(
      jsonb_build_object('id', m.id, 'role', m.role, 'user_id', m.user_id) order by m.created_at, m.id
    )))
    from new_rows as m
    -- No join: it would be planned for a single row, and take the square of what a long chat has.
    where m.id not in (
      select x.id
      from (
        select n.id, n.project_id, n.private_to from new_rows as n
        except
        select o.id, o.project_id, o.private_to from old_rows as o
      ) as x
    )
    group by m.session_id;
  else
    perform private.broadcast('chat:' || m.session_id, 'messages', jsonb_build_object('change', 'insert', 'messages', jsonb_agg(
      jsonb_build_object('id', m.id, 'role', m.role, 'user_id', m.user_id) order by m.created_at, m.id
    )))
    from new_rows as m
    group by m.session_id;
  end if;
  return null;
end
$$;
drop trigger chat_messages_broadcast_update on public.chat_messages;
create trigger chat_messages_broadcast_update after update on public.chat_messages
referencing old table as old_rows new table as new_rows for each statement execute function private.broadcast_messages();
