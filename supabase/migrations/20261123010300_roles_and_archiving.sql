-- What was under way while a project was being archived wrote into the archived project: the question whether the project is
-- active came before the wait for it, in the foreign keys of what was written, and was not asked again.

-- Holds the project's state, for those who may know of it: archiving waits for them, and they for archiving. The project comes
-- before executions, tasks and files, as where it is deleted. Removing somebody does not wait for this lock.
create function private.hold_project_status(p_project_id uuid)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_status text;
begin
  select p.status into v_status from public.projects as p where p.id = p_project_id for key share;
  return v_status;
end
$$;

-- The first half of what was the gate of every operation: who the caller is.
create function private.require_standing(p_project_id uuid, p_role text)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_role text := private.role_in_project(p_project_id);
begin
  if v_role is null then
    perform private.refuse('project_not_found', 'There is no such project, or you are not a member of it.');
  end if;
  if array_position(array['reader', 'viewer', 'editor', 'owner'], v_role)
    < array_position(array['reader', 'viewer', 'editor', 'owner'], p_role)
  then
    perform private.refuse('forbidden', format('This needs the role %s in the project: you are %s.', p_role, v_role));
  end if;
end
$$;
revoke execute on function private.hold_project_status(uuid), private.require_standing(uuid, text)
from public, anon, authenticated, service_role;

-- The gate of every operation, as before: 404 where the caller may not know the project, 403 where they see it but may not
-- act, 409 where nobody may write because it is archived or deleted. Reading locks nothing, and runs in transactions that
-- cannot.
create or replace function private.require_role(p_project_id uuid, p_role text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_status text;
begin
  perform private.require_standing(p_project_id, p_role);
  if p_role in ('editor', 'owner') then
    v_status := private.hold_project_status(p_project_id);
    perform private.require_standing(p_project_id, p_role);
    if v_status <> 'active' then
      perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', v_status));
    end if;
  end if;
end
$$;

-- The same without the lock, for who has still to wait for others: a project that many hold while they stand in line could
-- never be archived, as later holders pass the one who waits. What has done with waiting asks by require_role.
create function private.ask_role(p_project_id uuid, p_role text)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_status text;
begin
  perform private.require_standing(p_project_id, p_role);
  select p.status into v_status from public.projects as p where p.id = p_project_id;
  if v_status <> 'active' then
    perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', v_status));
  end if;
end
$$;
revoke execute on function private.ask_role(uuid, text) from public, anon, authenticated, service_role;

create or replace function private.require_task_access(p_project_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_status text;
begin
  if private.is_worker() then
    select p.status into v_status from public.projects as p where p.id = p_project_id;
    if v_status = 'active' then
      return;
    end if;
  end if;
  if p_project_id is null or private.role_in_project(p_project_id) is null then
    perform private.refuse('task_not_found', 'There is no such task, or you are not a member of its project.');
  end if;
  perform private.ask_role(p_project_id, 'editor');
end
$$;

-- A worker's report asks for the state of the project itself, without a lock: only where it brings files is there something
-- to write that waits for the project.
create or replace function private.save_task_artifacts(p_task public.agent_tasks, p_artifacts jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_item jsonb;
begin
  if jsonb_typeof(coalesce(p_artifacts, '[]')) <> 'array' then
    perform private.refuse_field('artifacts', 'must be a list');
  end if;
  if jsonb_array_length(p_artifacts) > 100 then
    perform private.refuse_field('artifacts', 'may have at most 100 entries');
  end if;
  if private.brings_artifacts(p_artifacts) then
    perform private.require_role(p_task.project_id, 'editor');
  end if;

  for v_item in
    select a.value from jsonb_array_elements(p_artifacts) as a
  loop
    if jsonb_typeof(v_item -> 'base_version') not in ('number', 'null')
      or not pg_input_is_valid(coalesce(v_item ->> 'base_version', '0'), 'integer')
    then
      perform private.refuse_field('artifacts', 'must have whole numbers as base_version');
    end if;
    if v_item -> 'deleted' is not distinct from 'true' then
      perform private.delete_artifact(
        p_task.project_id, v_item ->> 'file_path', p_task.id, (v_item ->> 'base_version')::integer
      );
    else
      perform private.save_artifact(
        p_task.project_id, v_item ->> 'file_path', v_item ->> 'content', v_item ->> 'name', v_item ->> 'language',
        v_item ->> 'type', p_task.id, v_item -> 'metadata', (v_item ->> 'base_version')::integer
      );
    end if;
  end loop;
end
$$;

-- The same for another role of a collaborator, whose row carries the project's state along.
create or replace function private.ask_owner_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_status text;
begin
  if tg_op = 'UPDATE' then
    v_status := private.hold_project_status(old.project_id);
  end if;
  if private.role_in_project(old.project_id) is distinct from 'owner' then
    perform private.refuse('forbidden', 'Only an owner of the project can change who is in it.');
  end if;
  if v_status <> 'active' then
    perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', v_status));
  end if;
  return case when tg_op = 'UPDATE' then new else old end;
end
$$;
