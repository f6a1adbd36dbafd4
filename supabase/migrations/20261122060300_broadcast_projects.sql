-- What happens in a project outside its executions is told on project:<id>: saved artifacts, files, who is a member, and
-- the project itself. One message per statement and topic, with ids, states and versions.

-- Rows of artifacts are versions: every change, also a deletion or a restore, is a new one.
create function private.broadcast_artifacts()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.broadcast(
    'project:' || a.project_id, 'artifacts',
    jsonb_build_object('artifacts', jsonb_agg(
      jsonb_build_object('id', a.id, 'file_path', a.file_path, 'version', a.version, 'task_id', a.task_id)
    ))
  )
  from new_rows as a
  group by a.project_id;
  return null;
end
$$;
create trigger code_artifacts_broadcast after insert on public.code_artifacts
referencing new table as new_rows for each statement execute function private.broadcast_artifacts();

-- A file is there for the others from the moment it is ready; an upload under way is its uploader's own affair.
create function private.broadcast_files()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform private.broadcast('project:' || f.project_id, 'files', jsonb_build_object('files', jsonb_agg(
      jsonb_build_object('id', f.id, 'status', 'deleted')
    )))
    from old_rows as f
    where f.status = 'ready'
    group by f.project_id;
  else
    perform private.broadcast('project:' || f.project_id, 'files', jsonb_build_object('files', jsonb_agg(
      jsonb_build_object('id', f.id, 'status', f.status)
    )))
    from new_rows as f
    where f.status = 'ready'
    group by f.project_id;
  end if;
  return null;
end
$$;
create trigger file_storage_broadcast_insert after insert on public.file_storage
referencing new table as new_rows for each statement execute function private.broadcast_files();
create trigger file_storage_broadcast_update after update on public.file_storage
referencing new table as new_rows for each statement execute function private.broadcast_files();
create trigger file_storage_broadcast_delete after delete on public.file_storage
referencing old table as old_rows for each statement execute function private.broadcast_files();

-- Whoever hears that they were removed leaves by themselves: Realtime asks the policies again only when a token is
-- renewed, so until then a removed member's open channel would go on (docs/security.md).
create function private.broadcast_collaborators()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform private.broadcast('project:' || c.project_id, 'collaborators', jsonb_build_object('collaborators', jsonb_agg(
      jsonb_build_object('user_id', c.user_id, 'role', null)
    )))
    from old_rows as c
    group by c.project_id;
  else
    perform private.broadcast('project:' || c.project_id, 'collaborators', jsonb_build_object('collaborators', jsonb_agg(
      jsonb_build_object('user_id', c.user_id, 'role', c.role)
    )))
    from new_rows as c
    group by c.project_id;
  end if;
  return null;
end
$$;
create trigger project_collaborators_broadcast_insert after insert on public.project_collaborators
referencing new table as new_rows for each statement execute function private.broadcast_collaborators();
create trigger project_collaborators_broadcast_update after update on public.project_collaborators
referencing new table as new_rows for each statement execute function private.broadcast_collaborators();
create trigger project_collaborators_broadcast_delete after delete on public.project_collaborators
referencing old table as old_rows for each statement execute function private.broadcast_collaborators();

create function private.broadcast_projects()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform private.broadcast('project:' || p.id, 'project', jsonb_build_object('project_id', p.id, 'status', null))
    from old_rows as p;
  else
    perform private.broadcast('project:' || p.id, 'project', jsonb_build_object('project_id', p.id, 'status', p.status))
    from new_rows as p;
  end if;
  return null;
end
$$;
create trigger projects_broadcast_update after update on public.projects
referencing new table as new_rows for each statement execute function private.broadcast_projects();
create trigger projects_broadcast_delete after delete on public.projects
referencing old table as old_rows for each statement execute function private.broadcast_projects();
