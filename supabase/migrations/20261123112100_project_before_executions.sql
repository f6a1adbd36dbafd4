-- Who deletes a project locks it first and all that is in it after it. Cancelling, retrying or forking an execution, and
-- taking an invitation back, held a row of theirs when they came to the project: what met ended in a deadlock, of which the
-- deletion was as often the victim. They hold the project first, as the operations on files do.

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
  -- Now that it is the execution's turn, which no project waits for; and before its rows, like who deletes the project.
  perform private.hold_project_status(v_execution.project_id);
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id for no key update;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution any more, or you are no longer a member of its project.');
  end if;
  perform private.require_role(v_execution.project_id, 'editor');
  return v_execution;
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
  -- The project before its invitations, like who deletes it.
  perform private.hold_project_status(v_project_id);
  delete from public.project_invitations as i where i.id = p_invitation_id and i.status = 'pending';
  v_is_withdrawn := found;
  if private.role_in_project(v_project_id) is null then
    perform private.refuse('invitation_not_found', 'There is no such invitation.');
  end if;
  perform private.require_role(v_project_id, 'owner');
  return jsonb_build_object('withdrawn', v_is_withdrawn);
end
$$;
