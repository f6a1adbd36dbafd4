-- Who was removed while their operation waited for a lock that somebody else held still published, cancelled, saved, claimed or
-- revoked. The right is asked for again once the lock is held, or at the end, where all of them are: what was done is
-- undone by the refusal.

create or replace function private.lock_workflow(p_workflow_id uuid)
returns public.workflows
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid;
  v_workflow public.workflows;
begin
  select w.project_id into v_project_id from public.workflows as w where w.id = p_workflow_id;
  if v_project_id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_project_id, 'editor');
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id for no key update;
  if v_workflow.id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow any more, or you are no longer a member of its project.');
  end if;
  perform private.require_role(v_project_id, 'editor');
  return v_workflow;
end
$$;

create or replace function private.lock_execution(p_execution_id uuid)
returns public.workflow_executions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
  v_root uuid;
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_execution.project_id, 'editor');
  select p.root_execution_id into v_root from private.execution_progress as p where p.workflow_execution_id = p_execution_id;
  perform private.enter_execution(v_root, true);
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id for no key update;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution any more, or you are no longer a member of its project.');
  end if;
  perform private.require_role(v_execution.project_id, 'editor');
  return v_execution;
end
$$;

create or replace function private.save_artifact_as_caller(
  p_project_id uuid, p_file_path text, p_content text, p_name text, p_language text, p_type text, p_task_id uuid,
  p_metadata jsonb, p_base_version integer, p_lease_token uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_answer jsonb;
begin
  perform private.ask_role(p_project_id, 'editor');
  perform private.hold_open_task(p_project_id, p_task_id, p_lease_token);
  v_answer := private.save_artifact(
    p_project_id, p_file_path, p_content, p_name, p_language, p_type, p_task_id, p_metadata, p_base_version
  );
  perform private.require_role(p_project_id, 'editor');
  return v_answer;
end
$$;

create or replace function private.delete_artifact_as_caller(
  p_project_id uuid, p_file_path text, p_task_id uuid, p_base_version integer, p_lease_token uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_answer jsonb;
begin
  perform private.ask_role(p_project_id, 'editor');
  perform private.hold_open_task(p_project_id, p_task_id, p_lease_token);
  v_answer := private.delete_artifact(p_project_id, p_file_path, p_task_id, p_base_version);
  perform private.require_role(p_project_id, 'editor');
  return v_answer;
end
$$;

-- Of workers nothing is asked again: they stand in every project.
create or replace function private.claim_tasks(
  p_worker_id text, p_agent_types text[], p_limit integer, p_lease_seconds integer, p_project_id uuid, p_execution_id uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_answer jsonb := private.claim_or_reclaim(
    p_worker_id, p_agent_types, p_limit, p_lease_seconds, p_project_id, p_execution_id
  );
begin
  if not private.is_worker() then
    perform private.require_role(c.project_id, 'editor')
    from (
      select distinct (t.value ->> 'project_id')::uuid as project_id from jsonb_array_elements(v_answer -> 'tasks') as t
    ) as c;
  end if;
  perform private.hurry_claim();
  return v_answer;
end
$$;

create or replace function private.revoke_invitation(p_invitation_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid := private.invitation_project(p_invitation_id);
  v_invitation public.project_invitations;
begin
  perform private.require_standing(v_project_id, 'owner');
  perform 1 from public.projects as p where p.id = v_project_id for no key update;
  update public.project_invitations as i set status = 'revoked'
  where i.id = p_invitation_id and i.status = 'pending'
  returning i.* into v_invitation;
  perform private.require_standing(private.invitation_project(p_invitation_id), 'owner');
  if v_invitation.id is null then
    perform private.refuse('invitation_not_pending', 'This invitation was already accepted or revoked.');
  end if;
  return jsonb_build_object('invitation', private.invitation_json(v_invitation));
end
$$;

create or replace function private.withdraw_invitation(p_invitation_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_project_id uuid := private.invitation_project(p_invitation_id);
  v_is_withdrawn boolean;
begin
  perform private.ask_role(v_project_id, 'owner');
  delete from public.project_invitations as i where i.id = p_invitation_id and i.status = 'pending';
  v_is_withdrawn := found;
  if private.role_in_project(v_project_id) is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  perform private.require_role(v_project_id, 'owner');
  return jsonb_build_object('withdrawn', v_is_withdrawn);
end
$$;
