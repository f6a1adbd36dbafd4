-- Chat: sessions belong to the person who opened them and may be shared with the project; people write as `user`, only
-- workers write as `assistant` or `system`.

create table public.chat_sessions (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  user_id uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  title text,
  context jsonb not null default '{}',
  status text not null default 'active',
  is_shared boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint chat_sessions_status_is_known check (status in ('active', 'archived')),
  constraint chat_sessions_title_is_short check (char_length(title) <= 200),
  constraint chat_sessions_context_is_an_object check (jsonb_typeof(context) = 'object'),
  constraint chat_sessions_context_is_small check (octet_length(context::text) <= 1048576)
);
create index idx_chat_sessions_project_id on public.chat_sessions (project_id);
create index idx_chat_sessions_user_id on public.chat_sessions (user_id);

create table public.chat_messages (
  id uuid primary key default gen_random_uuid(),
  session_id uuid not null references public.chat_sessions (id) on delete cascade,
  user_id uuid default auth.uid() references public.profiles (id) on delete set null,
  task_id uuid references public.agent_tasks (id) on delete set null,
  role text not null,
  content text not null,
  artifacts jsonb not null default '[]',
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint chat_messages_role_is_known check (role in ('user', 'assistant', 'system')),
  constraint chat_messages_content_is_small check (octet_length(content) <= 1048576),
  constraint chat_messages_artifacts_is_a_list check (jsonb_typeof(artifacts) = 'array'),
  constraint chat_messages_metadata_is_an_object check (jsonb_typeof(metadata) = 'object'),
  constraint chat_messages_extras_are_small check (octet_length(artifacts::text) + octet_length(metadata::text) <= 65536)
);
create index idx_chat_messages_session_id on public.chat_messages (session_id, created_at, id);
create index idx_chat_messages_user_id on public.chat_messages (user_id);
create index idx_chat_messages_task_id on public.chat_messages (task_id);

revoke all on public.chat_sessions, public.chat_messages from anon, authenticated, service_role;
grant
  select,
  insert (id, project_id, user_id, title, context, status, is_shared),
  update (title, context, status, is_shared),
  delete
on public.chat_sessions to authenticated;
grant select, insert (id, session_id, role, content, artifacts, metadata) on public.chat_messages to authenticated;
grant select, insert, update, delete on public.chat_sessions, public.chat_messages to service_role;
alter table public.chat_sessions enable row level security;
alter table public.chat_messages enable row level security;

create trigger chat_sessions_set_updated_at before update on public.chat_sessions
for each row execute function private.set_updated_at();

-- The sessions the caller may read, or write in: their own and those shared with their projects; an admin reads all.
create function private.chat_session_ids(p_purpose text)
returns setof uuid
language sql
stable
security definer
set search_path = ''
as $$
  select s.id
  from public.chat_sessions as s
  join public.projects as p on p.id = s.project_id
  where p.id in (select private.project_ids('viewer'))
    and (s.user_id = (select auth.uid()) or s.is_shared)
    and (p_purpose = 'read' or (p.status = 'active' and s.status = 'active'))
  union all
  select s.id from public.chat_sessions as s where p_purpose = 'read' and (select private.is_admin())
$$;
grant execute on function private.chat_session_ids(text) to authenticated, service_role;

create policy "people can read their own sessions and those shared with their projects" on public.chat_sessions
for select to authenticated
using (
  project_id in (select private.project_ids('reader'))
  and (user_id = (select auth.uid()) or is_shared or (select private.is_admin()))
);

create policy "members can open sessions of their own" on public.chat_sessions
for insert to authenticated
with check (user_id = (select auth.uid()) and project_id in (select private.project_ids('viewer')));

create policy "people can edit their own sessions" on public.chat_sessions
for update to authenticated
using (user_id = (select auth.uid()) and project_id in (select private.project_ids('viewer')))
with check (user_id = (select auth.uid()) and project_id in (select private.project_ids('viewer')));

create policy "people can delete their own sessions" on public.chat_sessions
for delete to authenticated
using (user_id = (select auth.uid()) and project_id in (select private.project_ids('viewer')));

create policy "people can read the messages of sessions they can read" on public.chat_messages
for select to authenticated
using (session_id in (select private.chat_session_ids('read')));

create policy "members can write as themselves in sessions they take part in" on public.chat_messages
for insert to authenticated
with check (
  role = 'user'
  and user_id = (select auth.uid())
  and session_id in (select private.chat_session_ids('write'))
);
