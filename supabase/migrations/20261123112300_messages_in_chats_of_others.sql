-- Making a shared chat private again writes all its messages. A viewer who wrote two hundred thousand into the chat of
-- somebody else kept it shared for good, as that took longer than a statement may; with more of them it could not even be
-- deleted. One person writes at most ten thousand messages into a chat that is not their own.

insert into private.error_codes (code, http_status) values ('too_many_messages', 429);

-- As before by the person, for accounts that are deleted; now it counts what they wrote in one chat, too.
drop index public.idx_chat_messages_user_id;
create index idx_chat_messages_user_id on public.chat_messages (user_id, session_id);

create function private.limit_messages()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_per_person constant integer := 10000;
begin
  if exists (
    select
    from (select distinct m.session_id, m.user_id from added as m where m.user_id is not null) as w
    join public.chat_sessions as s on s.id = w.session_id and s.user_id <> w.user_id
    where exists (
      select from public.chat_messages as m
      where m.user_id = w.user_id and m.session_id = w.session_id
      offset c_per_person
    )
  ) then
    perform private.refuse(
      'too_many_messages',
      format('One person writes at most %s messages into a chat of somebody else: open one of your own.', c_per_person)
    );
  end if;
  return null;
end
$$;
revoke execute on function private.limit_messages() from public, anon, authenticated, service_role;

create trigger chat_messages_limit_messages after insert on public.chat_messages
referencing new table as added
for each statement execute function private.limit_messages();
