-- A person opens at most a thousand chats at a time. What was over the ten thousand that one may have in a project was refused
-- when all of it had been written: statements of eleven thousand chats, a dozen at once, held the project's row for as long as a
-- statement may take, and its owner could not archive it meanwhile. A viewer could do that.

create function private.limit_sessions_at_once()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_at_a_time constant integer := 1000;
  v_opened integer := coalesce(nullif(current_setting('genesis.sessions_opened', true), ''), '0');
begin
  if v_opened >= c_at_a_time then
    perform private.refuse('too_many_sessions', format('One person opens at most %s chats at a time.', c_at_a_time));
  end if;
  perform set_config('genesis.sessions_opened', (v_opened + 1)::text, true);
  return new;
end
$$;
revoke execute on function private.limit_sessions_at_once() from public, anon, authenticated, service_role;

create trigger chat_sessions_limit_sessions_at_once before insert on public.chat_sessions
for each row when (row_security_active('public.chat_sessions'))
execute function private.limit_sessions_at_once();
