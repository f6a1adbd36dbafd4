-- Who collaborates where, beside the state of the project: what policies ask for is then one run through one index, where
-- it used to be a look at every project of the caller, at every statement. PostgreSQL itself keeps the copy true: the
-- foreign keys carry every change of state and every removal over in the same transaction, and a collaborator who is
-- added while the state changes waits for it.

alter table public.projects add constraint projects_state_of_one_project unique (id, status);

create table private.collaborations (
  collaborator_id uuid primary key references public.project_collaborators (id) on delete cascade,
  user_id uuid not null,
  project_id uuid not null,
  role text not null,
  project_status text not null,
  constraint collaborations_project_fkey foreign key (project_id, project_status)
  references public.projects (id, status) on update cascade on delete cascade
);
create index collaborations_user_id on private.collaborations (user_id) include (project_id, role, project_status);
create index collaborations_project_id on private.collaborations (project_id, project_status);

create function private.keep_collaboration()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- With a lock that a change of the project's state waits for, and that waits for one.
  insert into private.collaborations (collaborator_id, user_id, project_id, role, project_status)
  select new.id, new.user_id, new.project_id, new.role, p.status
  from public.projects as p
  where p.id = new.project_id
  for key share
  on conflict (collaborator_id) do update
  set user_id = excluded.user_id, project_id = excluded.project_id, role = excluded.role,
    project_status = excluded.project_status;
  return null;
end
$$;
create trigger project_collaborators_keep_collaboration after insert or update on public.project_collaborators
for each row execute function private.keep_collaboration();

insert into private.collaborations (collaborator_id, user_id, project_id, role, project_status)
select c.id, c.user_id, c.project_id, c.role, p.status
from public.project_collaborators as c
join public.projects as p on p.id = c.project_id;
