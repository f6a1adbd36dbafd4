-- A save or deletion names a task only while that is under way: what has ended keeps the past it had, so the moment of
-- its execution, and what a revert of it undoes, are no one's to change. A worker that sends its lease token along is
-- told when the task is another's by now, as with every other word it says.

-- The task stays open until the caller has committed. Its row comes after the project's files, as in a report.
create function private.hold_open_task(p_project_id uuid, p_task_id uuid, p_lease_token uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_task public.agent_tasks;
begin
  if p_task_id is null then
    if p_lease_token is not null then
      perform private.refuse_field('task_id', 'is missing: a lease_token is that of a task');
    end if;
    return;
  end if;
  perform private.require_task_of_project(p_task_id, p_project_id);
  perform private.lock_artifacts(array[p_project_id]);
  select t.* into v_task from public.agent_tasks as t where t.id = p_task_id for share;
  if coalesce(v_task.status, '') not in ('running', 'waiting') then
    perform private.refuse(
      'task_lease_lost', format('Only a task under way takes artifacts: this one is %s.', coalesce(v_task.status, 'gone')),
      jsonb_build_object('status', v_task.status)
    );
  end if;
  if p_lease_token is not null
    and (v_task.status <> 'running' or v_task.lease_digest is distinct from sha256(uuid_send(p_lease_token)))
  then
    perform private.refuse(
      'task_lease_lost', 'This lease no longer holds the task.', jsonb_build_object('status', v_task.status)
    );
  end if;
end
$$;

drop function public.save_artifact(uuid, text, text, text, text, text, uuid, jsonb, integer);
drop function private.save_artifact_as_caller(uuid, text, text, text, text, text, uuid, jsonb, integer);
drop function public.delete_artifact(uuid, text, uuid, integer);
drop function private.delete_artifact_as_caller(uuid, text, uuid, integer);

create function private.save_artifact_as_caller(
  p_project_id uuid, p_file_path text, p_content text, p_name text, p_language text, p_type text, p_task_id uuid,
  p_metadata jsonb, p_base_version integer, p_lease_token uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_role(p_project_id, 'editor');
  perform private.hold_open_task(p_project_id, p_task_id, p_lease_token);
  return private.save_artifact(
    p_project_id, p_file_path, p_content, p_name, p_language, p_type, p_task_id, p_metadata, p_base_version
  );
end
$$;

create function public.save_artifact(
  project_id uuid, file_path text, content text, name text default null, language text default null, type text default null,
  task_id uuid default null, metadata jsonb default null, base_version integer default null, lease_token uuid default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.save_artifact_as_caller(
    save_artifact.project_id, save_artifact.file_path, save_artifact.content, save_artifact.name, save_artifact.language,
    save_artifact.type, save_artifact.task_id, save_artifact.metadata, save_artifact.base_version,
    save_artifact.lease_token
  );
end
$$;

create function private.delete_artifact_as_caller(
  p_project_id uuid, p_file_path text, p_task_id uuid, p_base_version integer, p_lease_token uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_role(p_project_id, 'editor');
  perform private.hold_open_task(p_project_id, p_task_id, p_lease_token);
  return private.delete_artifact(p_project_id, p_file_path, p_task_id, p_base_version);
end
$$;

create function public.delete_artifact(
  project_id uuid, file_path text, task_id uuid default null, base_version integer default null,
  lease_token uuid default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.delete_artifact_as_caller(
    delete_artifact.project_id, delete_artifact.file_path, delete_artifact.task_id, delete_artifact.base_version,
    delete_artifact.lease_token
  );
end
$$;

revoke execute on function private.hold_open_task(uuid, uuid, uuid),
  private.save_artifact_as_caller(uuid, text, text, text, text, text, uuid, jsonb, integer, uuid),
  public.save_artifact(uuid, text, text, text, text, text, uuid, jsonb, integer, uuid),
  private.delete_artifact_as_caller(uuid, text, uuid, integer, uuid),
  public.delete_artifact(uuid, text, uuid, integer, uuid)
from public, anon, authenticated, service_role;
grant execute on function private.save_artifact_as_caller(uuid, text, text, text, text, text, uuid, jsonb, integer, uuid),
  public.save_artifact(uuid, text, text, text, text, text, uuid, jsonb, integer, uuid),
  private.delete_artifact_as_caller(uuid, text, uuid, integer, uuid),
  public.delete_artifact(uuid, text, uuid, integer, uuid)
to authenticated, service_role;
