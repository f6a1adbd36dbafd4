-- Projects and their members: the root of every permission. Who may see or do what is answered by one helper,
-- private.project_ids(minimum role), which policies call once per statement and never once per row.

create table public.projects (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  description text,
  owner_id uuid not null references public.profiles (id) on delete cascade,
  settings jsonb not null default '{}',
  status text not null default 'active',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint projects_status_is_known check (status in ('active', 'archived', 'deleted')),
  constraint projects_name_has_text check (char_length(btrim(name)) between 1 and 200),
  constraint projects_description_is_short check (char_length(description) <= 10000),
  constraint projects_settings_is_an_object check (jsonb_typeof(settings) = 'object'),
  constraint projects_settings_is_small check (octet_length(settings::text) <= 65536)
);
create index idx_projects_owner_id on public.projects (owner_id);

create table public.project_collaborators (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  user_id uuid not null references public.profiles (id) on delete cascade,
  role text not null default 'viewer',
  permissions jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint project_collaborators_role_is_known check (role in ('owner', 'editor', 'viewer')),
  constraint project_collaborators_permissions_is_an_object check (jsonb_typeof(permissions) = 'object'),
  constraint project_collaborators_one_row_per_person unique (project_id, user_id)
);
-- Both carry the role, so that membership is answered from the index alone.
create index idx_project_collaborators_project_id on public.project_collaborators (project_id, role);
create index idx_project_collaborators_user_id on public.project_collaborators (user_id, project_id, role);

revoke all on public.projects, public.project_collaborators from anon, authenticated, service_role;
grant select, insert (id, name, description, owner_id, settings), update (name, description, settings, status), delete
on public.projects to authenticated;
grant select, update (role, permissions), delete on public.project_collaborators to authenticated;
grant select, insert, update, delete on public.projects, public.project_collaborators to service_role;
alter table public.projects enable row level security;
alter table public.project_collaborators enable row level security;

create trigger projects_set_updated_at before update on public.projects
for each row execute function private.set_updated_at();

-- The caller's projects for a minimum standing. reader: may look, which is members, admins and workers. viewer: is a member, of
-- an active or archived project (an owner also of a deleted one, to restore it). editor: may write, so active ones only.
-- owner: owns it, in any state.
create function private.project_ids(p_role text)
returns setof uuid
language sql
stable
security definer
set search_path = ''
as $$
  select p.id
  from public.projects as p
  where p.owner_id = (select auth.uid())
    and (p_role <> 'editor' or p.status = 'active')
  union all
  select c.project_id
  from public.project_collaborators as c
  join public.projects as p on p.id = c.project_id
  where c.user_id = (select auth.uid())
    and case p_role
      when 'reader' then c.role = 'owner' or p.status <> 'deleted'
      when 'viewer' then c.role = 'owner' or p.status <> 'deleted'
      when 'editor' then c.role in ('owner', 'editor') and p.status = 'active'
      when 'owner' then c.role = 'owner'
      else false
    end
  union all
  select p.id
  from public.projects as p
  where p_role = 'reader' and ((select private.is_admin()) or (select private.is_worker()))
$$;
grant execute on function private.project_ids(text) to authenticated, service_role;

-- `owner_id = …` stands beside the helper because INSERT … RETURNING checks this policy too, and a STABLE helper does
-- not see the row that the same statement inserts.
create policy "members can read their projects" on public.projects
for select to authenticated
using (owner_id = (select auth.uid()) or id in (select private.project_ids('reader')));

create policy "anyone signed in can create a project of their own" on public.projects
for insert to authenticated
with check (owner_id = (select auth.uid()));

create policy "owners can update their projects" on public.projects
for update to authenticated
using (id in (select private.project_ids('owner')))
with check (id in (select private.project_ids('owner')));

create policy "owners can delete their projects" on public.projects
for delete to authenticated
using (id in (select private.project_ids('owner')));

create policy "members can read who is in their projects" on public.project_collaborators
for select to authenticated
using (project_id in (select private.project_ids('reader')));

create policy "owners can change the role of collaborators" on public.project_collaborators
for update to authenticated
using (project_id in (select private.project_ids('owner')))
with check (project_id in (select private.project_ids('owner')));

create policy "owners can remove collaborators, and people can leave" on public.project_collaborators
for delete to authenticated
using (project_id in (select private.project_ids('owner')) or user_id = (select auth.uid()));

-- What members may know of each other: name and picture, never address, preferences or role on the platform.
create function private.project_members()
returns table (project_id uuid, user_id uuid, role text, full_name text, avatar_url text)
language sql
stable
security definer
set search_path = ''
as $$
  with mine as (select distinct private.project_ids('reader') as project_id)
  select p.id, p.owner_id, 'owner'::text, o.full_name, o.avatar_url
  from mine
  join public.projects as p on p.id = mine.project_id
  join public.profiles as o on o.id = p.owner_id
  union all
  select c.project_id, c.user_id, c.role, m.full_name, m.avatar_url
  from mine
  join public.project_collaborators as c on c.project_id = mine.project_id
  join public.profiles as m on m.id = c.user_id
$$;
grant execute on function private.project_members() to authenticated, service_role;

create view public.project_members with (security_invoker = true) as
select m.project_id, m.user_id, m.role, m.full_name, m.avatar_url from private.project_members() as m;
revoke all on public.project_members from anon, authenticated, service_role;
grant select on public.project_members to authenticated, service_role;

-- The caller's standing in one project, for the operations. A worker stands as owner of every project.
-- null: the caller may not know that the project exists.
create function private.role_in_project(p_project_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_owner_id uuid;
  v_status text;
  v_role text;
begin
  select p.owner_id, p.status, c.role into v_owner_id, v_status, v_role
  from public.projects as p
  left join public.project_collaborators as c on c.project_id = p.id and c.user_id = auth.uid()
  where p.id = p_project_id;
  return case
    when v_owner_id is null then null
    when private.is_worker() then 'owner'
    when v_owner_id = auth.uid() then 'owner'
    when v_role = 'owner' then 'owner'
    when v_status = 'deleted' then null
    when v_role is not null then v_role
    when private.is_admin() then 'reader'
  end;
end
$$;

-- The gate of every operation: 404 where the caller may not know the project, 403 where they see it but may not act,
-- 409 where nobody may write because it is archived or deleted.
create function private.require_role(p_project_id uuid, p_role text)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_role text := private.role_in_project(p_project_id);
  v_status text;
begin
  if v_role is null then
    perform private.refuse('project_not_found', 'There is no such project, or you are not a member of it.');
  end if;
  if array_position(array['reader', 'viewer', 'editor', 'owner'], v_role)
    < array_position(array['reader', 'viewer', 'editor', 'owner'], p_role)
  then
    perform private.refuse('forbidden', format('This needs the role %s in the project: you are %s.', p_role, v_role));
  end if;
  if p_role in ('editor', 'owner') then
    select p.status into v_status from public.projects as p where p.id = p_project_id;
    if v_status <> 'active' then
      perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', v_status));
    end if;
  end if;
end
$$;
