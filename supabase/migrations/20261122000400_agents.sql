-- Agents: who can be given a task. A type is a name that workers ask for; the seed's five are global rows, an admin may
-- add global ones and an owner may add some for a project (project_id null = global).

create table public.agent_types (
  id uuid primary key default gen_random_uuid(),
  project_id uuid references public.projects (id) on delete cascade,
  name text not null,
  description text,
  created_at timestamptz not null default now(),
  constraint agent_types_name_is_a_slug check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  constraint agent_types_one_name_per_scope unique nulls not distinct (project_id, name)
);

insert into public.agent_types (name, description) values
  ('architect', 'Plans the work and decides the structure.'),
  ('frontend', 'Writes what people see.'),
  ('backend', 'Writes services and data.'),
  ('tester', 'Checks what was made.'),
  ('debugger', 'Finds and mends what is broken.');

create table public.agents (
  id uuid primary key default gen_random_uuid(),
  project_id uuid references public.projects (id) on delete cascade,
  name text not null,
  type text not null,
  description text,
  configuration jsonb not null default '{}',
  system_prompt text,
  model_provider text default 'openai',
  model_name text default 'gpt-4',
  tools jsonb not null default '[]',
  status text not null default 'active',
  created_by uuid default auth.uid() references public.profiles (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agents_status_is_known check (status in ('active', 'inactive', 'maintenance')),
  constraint agents_name_has_text check (char_length(btrim(name)) between 1 and 200),
  constraint agents_configuration_is_an_object check (jsonb_typeof(configuration) = 'object'),
  constraint agents_tools_is_a_list check (jsonb_typeof(tools) = 'array'),
  constraint agents_is_small check (
    octet_length(configuration::text) + octet_length(tools::text) + octet_length(coalesce(system_prompt, '')) <= 1048576
  )
);
create index idx_agents_project_id on public.agents (project_id);
create index idx_agents_created_by on public.agents (created_by);

revoke all on public.agent_types, public.agents from anon, authenticated, service_role;
grant select, insert (project_id, name, description), update (description), delete
on public.agent_types to authenticated;
grant
  select,
  insert (project_id, name, type, description, configuration, system_prompt, model_provider, model_name, tools, status),
  update (name, type, description, configuration, system_prompt, model_provider, model_name, tools, status),
  delete
on public.agents to authenticated;
grant select, insert, update, delete on public.agent_types, public.agents to service_role;
alter table public.agent_types enable row level security;
alter table public.agents enable row level security;

create trigger agents_set_updated_at before update on public.agents
for each row execute function private.set_updated_at();

-- Is the type known in that project: a global one, or one of its own?
create function private.is_agent_type(p_project_id uuid, p_name text)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (
    select from public.agent_types as t
    where t.name = p_name and (t.project_id is null or t.project_id = p_project_id)
  )
$$;

-- A foreign key cannot say "global or of this project"; this trigger can.
create function private.check_agent_type()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not private.is_agent_type(new.project_id, new.type) then
    raise exception using
      errcode = '23514',
      message = format('The agent type %L is not known here.', new.type),
      hint = 'Use architect, frontend, backend, tester or debugger, or add the type to agent_types.';
  end if;
  return new;
end
$$;
create trigger agents_check_type before insert or update of type, project_id on public.agents
for each row execute function private.check_agent_type();

create policy "people can read global agent types and those of their projects" on public.agent_types
for select to authenticated
using (project_id is null or project_id in (select private.project_ids('reader')));

create policy "admins can add global agent types, owners those of a project" on public.agent_types
for insert to authenticated
with check (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('owner'))
);

create policy "admins can edit global agent types, owners those of a project" on public.agent_types
for update to authenticated
using (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('owner'))
)
with check (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('owner'))
);

create policy "admins can remove global agent types, owners those of a project" on public.agent_types
for delete to authenticated
using (
  (project_id is null and (select private.is_admin()))
  or project_id in (select private.project_ids('owner'))
);

-- Viewers see the agents that can be used; whoever may change an agent sees it in every state, or they could not.
create policy "members can read agents" on public.agents
for select to authenticated
using (
  (project_id is null and status = 'active')
  or (project_id in (select private.project_ids('reader')) and status = 'active')
  or project_id in (select private.project_ids('editor'))
  or project_id in (select private.project_ids('owner'))
  or (select private.is_admin())
);

create policy "owners can add agents to a project, admins anywhere" on public.agents
for insert to authenticated
with check (project_id in (select private.project_ids('owner')) or (select private.is_admin()));

create policy "owners can edit the agents of a project, admins all" on public.agents
for update to authenticated
using (project_id in (select private.project_ids('owner')) or (select private.is_admin()))
with check (project_id in (select private.project_ids('owner')) or (select private.is_admin()));

create policy "owners can remove the agents of a project, admins all" on public.agents
for delete to authenticated
using (project_id in (select private.project_ids('owner')) or (select private.is_admin()));
