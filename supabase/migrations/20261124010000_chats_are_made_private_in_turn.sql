-- Making a shared chat private, or deleting it, waits for the messages that are being written into it, but not for those that
-- come after. It waited on the row alone, which whoever writes holds together with all others who do: a viewer who wrote three
-- hundred messages at a time, a dozen times at once, was always in it, also with what was refused in the end, and its owner's
-- change took longer than a statement may each time. Whoever writes into somebody else's chat, and people who change or delete
-- their own, stand in one queue now, which PostgreSQL keeps in order.
--
-- The queue is that of the person whose chats they are, so that no statement takes more places than there are such people. One's
-- own messages, and those of workers, do not stand in it. Nobody stands in it for long: a transaction writes at most a thousand
-- messages into chats of other people. It was refused after the ten thousandth, once it had written them all.

create or replace function private.keep_audience_of_message()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_at_a_time constant integer := 1000;
  v_session public.chat_sessions;
  v_written integer := coalesce(nullif(current_setting('genesis.messages_to_others', true), ''), '0');
begin
  -- Without a lock: the writer's right to write is only checked after this.
  select s.* into v_session from public.chat_sessions as s where s.id = new.session_id;
  -- Before the foreign key holds the row. Who may not write does not stand in the way of those who may.
  if v_session.user_id <> auth.uid() and private.may_use_session(new.session_id, 'write') then
    -- Reports have bounds of their own.
    if new.task_id is null then
      if v_written >= c_at_a_time then
        perform private.refuse(
          'too_many_messages', format('One person writes at most %s messages at a time into chats of somebody else.', c_at_a_time)
        );
      end if;
      perform set_config('genesis.messages_to_others', (v_written + 1)::text, true);
    end if;
    perform pg_advisory_xact_lock_shared(uuid_hash_extended(v_session.user_id, 4));
    select s.* into v_session from public.chat_sessions as s where s.id = new.session_id;
  end if;
  if v_session.id is not null then
    new.project_id = v_session.project_id;
    new.private_to = case when not v_session.is_shared then v_session.user_id end;
  end if;
  return new;
end
$$;

-- Before the statement has a row: policies let people change and delete their own sessions alone, so whose they are is known.
create function private.wait_for_writers()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if auth.uid() is not null then
    perform pg_advisory_xact_lock(uuid_hash_extended(auth.uid(), 4));
  end if;
  return null;
end
$$;
revoke execute on function private.wait_for_writers() from public, anon, authenticated, service_role;

create trigger chat_sessions_wait_for_writers before update of is_shared or delete on public.chat_sessions
for each statement execute function private.wait_for_writers();
