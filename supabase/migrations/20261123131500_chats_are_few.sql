-- What a viewer heaps up in a project is in the way of all of it: with 600,000 chats of one, which took a minute, the project
-- could not be deleted, as that took longer than a statement may, and the others' lists of their own chats took thirty times as
-- long. One person has at most ten thousand chats in a project.

insert into private.error_codes (code, http_status) values ('too_many_sessions', 429);

-- As before by the person, for accounts that are deleted; now it counts what they have in one project, too.
drop index public.idx_chat_sessions_user_id;
create index idx_chat_sessions_user_id on public.chat_sessions (user_id, project_id);

create function private.limit_sessions()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_per_person constant integer := 10000;
begin
  -- Of two statements of one person the second one sees the chats of the first. One lock, however many projects.
  perform pg_advisory_xact_lock(private.lock_key('sessions:' || auth.uid()));
  if exists (
    select from (select distinct s.project_id from added as s) as p
    where exists (
      select from public.chat_sessions as s where s.user_id = auth.uid() and s.project_id = p.project_id offset c_per_person
    )
  ) then
    perform private.refuse(
      'too_many_sessions', format('One person has at most %s chats in a project: delete some.', c_per_person)
    );
  end if;
  return null;
end
$$;
revoke execute on function private.limit_sessions() from public, anon, authenticated, service_role;

create trigger chat_sessions_limit_sessions after insert on public.chat_sessions
referencing new table as added
for each statement when (row_security_active('public.chat_sessions')) execute function private.limit_sessions();
