-- Messages carry who may read them, as tasks and artifacts do: the project, and the one person where the session is not
-- shared. A page of a chat then asks nothing about sessions. What is written is always what the session says, whoever
-- writes; and a session that is shared, or no longer shared, takes its messages along in the same statement.

-- Nothing else has this id: a message that missed the trigger would be in nobody's project.
alter table public.chat_messages
add column project_id uuid not null default '00000000-0000-0000-0000-000000000000',
add column private_to uuid;
comment on column public.chat_messages.private_to is 'Whose session it is, while that is not shared.';

-- Those who listen hear nothing of it: their messages are the same.
alter table public.chat_messages disable trigger chat_messages_broadcast_update;
update public.chat_messages as m
set project_id = s.project_id, private_to = case when not s.is_shared then s.user_id end
from public.chat_sessions as s
where s.id = m.session_id;
alter table public.chat_messages enable trigger chat_messages_broadcast_update;

-- Makes a change of audience wait for messages that are being written, and these for it; other changes of a session do not.
alter table public.chat_sessions
add constraint chat_sessions_audience_of_one_session unique (id, project_id, user_id, is_shared);

create function private.keep_audience_of_message()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_session public.chat_sessions;
begin
  -- Without a lock: the writer's right to write is only checked after this.
  select s.* into v_session from public.chat_sessions as s where s.id = new.session_id;
  if found then
    new.project_id = v_session.project_id;
    new.private_to = case when not v_session.is_shared then v_session.user_id end;
  end if;
  return new;
end
$$;
create trigger chat_messages_keep_audience before insert or update of session_id, project_id, private_to
on public.chat_messages
for each row execute function private.keep_audience_of_message();

-- Whoever wrote while the session was being shared has waited for that by now (the foreign key did), and looks again.
create function private.check_audience_of_message()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform from public.chat_sessions as s where s.id = new.session_id for key share;
  update public.chat_messages as m
  set project_id = s.project_id
  from public.chat_sessions as s
  where m.id = new.id
    and s.id = m.session_id
    and (m.project_id, m.private_to) is distinct from (s.project_id, case when not s.is_shared then s.user_id end);
  return null;
end
$$;
create trigger chat_messages_check_audience after insert or update of session_id on public.chat_messages
for each row execute function private.check_audience_of_message();

create function private.keep_audience_of_session()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- It has waited for messages that were being written, and has to see them.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'Who may read a session is changed at READ COMMITTED' using errcode = 'feature_not_supported';
  end if;
  -- The trigger of messages fills in what it is now.
  update public.chat_messages as m set project_id = new.project_id where m.session_id = new.id;
  return null;
end
$$;
create trigger chat_sessions_keep_audience after update on public.chat_sessions
for each row
when ((old.project_id, old.user_id, old.is_shared) is distinct from (new.project_id, new.user_id, new.is_shared))
execute function private.keep_audience_of_session();
