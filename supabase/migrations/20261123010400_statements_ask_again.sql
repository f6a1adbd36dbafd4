-- Rows of workflows, agents, types of agents and chat sessions were written, changed and deleted by people who had been removed,
-- or in projects that had been archived, while the statement waited for a lock: policies look at what there was when it
-- began. Once it has run it holds all its locks, and is asked again, once for all its rows.

-- The arguments: the standing in the project, and whether admins may as well, of all projects or of none.
create function private.ask_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_for_admins boolean := tg_argv[1] <> '' and private.is_admin();
  v_status text;
begin
  select coalesce(p.status, 'gone') into v_status
  from (select distinct c.project_id from changed as c) as c
  left join public.projects as p on p.id = c.project_id
  where not (
    c.project_id in (select private.project_ids(tg_argv[0])) is true
    or v_for_admins and (c.project_id is null or tg_argv[1] = 'or_admin' and p.status = 'active')
  )
  limit 1;
  if v_status in ('archived', 'deleted') then
    perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', v_status));
  elsif v_status is not null then
    perform private.refuse('forbidden', 'You may no longer do this in the project.');
  end if;
  return null;
end
$$;
revoke execute on function private.ask_again() from public, anon, authenticated, service_role;

create trigger workflows_ask_again_inserted after insert on public.workflows referencing new table as changed
for each statement when (row_security_active('public.workflows')) execute function private.ask_again('editor', '');
create trigger workflows_ask_again_updated after update on public.workflows referencing old table as changed
for each statement when (row_security_active('public.workflows')) execute function private.ask_again('editor', '');
create trigger workflows_ask_again_deleted after delete on public.workflows referencing old table as changed
for each statement when (row_security_active('public.workflows')) execute function private.ask_again('active_owner', '');

create trigger agents_ask_again_inserted after insert on public.agents referencing new table as changed
for each statement when (row_security_active('public.agents')) execute function private.ask_again('active_owner', 'or_admin');
create trigger agents_ask_again_updated after update on public.agents referencing old table as changed
for each statement when (row_security_active('public.agents')) execute function private.ask_again('active_owner', 'or_admin');
create trigger agents_ask_again_deleted after delete on public.agents referencing old table as changed
for each statement when (row_security_active('public.agents')) execute function private.ask_again('active_owner', 'or_admin');

create trigger agent_types_ask_again_inserted after insert on public.agent_types referencing new table as changed
for each statement when (row_security_active('public.agent_types')) execute function private.ask_again('active_owner', 'or_admin_of_none');
create trigger agent_types_ask_again_updated after update on public.agent_types referencing old table as changed
for each statement when (row_security_active('public.agent_types')) execute function private.ask_again('active_owner', 'or_admin_of_none');
create trigger agent_types_ask_again_deleted after delete on public.agent_types referencing old table as changed
for each statement when (row_security_active('public.agent_types')) execute function private.ask_again('active_owner', 'or_admin_of_none');

create trigger chat_sessions_ask_again_inserted after insert on public.chat_sessions referencing new table as changed
for each statement when (row_security_active('public.chat_sessions')) execute function private.ask_again('active_viewer', '');
create trigger chat_sessions_ask_again_updated after update on public.chat_sessions referencing old table as changed
for each statement when (row_security_active('public.chat_sessions')) execute function private.ask_again('active_viewer', '');
create trigger chat_sessions_ask_again_deleted after delete on public.chat_sessions referencing old table as changed
for each statement when (row_security_active('public.chat_sessions')) execute function private.ask_again('active_viewer', '');

-- A message waits for its session, which may be somebody else's again by then.
create function private.ask_session_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if exists (
    select from added as m where m.session_id not in (select private.chat_session_ids('write'))
  ) then
    perform private.refuse('forbidden', 'You may no longer write in this chat.');
  end if;
  return null;
end
$$;
revoke execute on function private.ask_session_again() from public, anon, authenticated, service_role;
create trigger chat_messages_ask_again_inserted after insert on public.chat_messages referencing new table as added
for each statement when (row_security_active('public.chat_messages')) execute function private.ask_session_again();
