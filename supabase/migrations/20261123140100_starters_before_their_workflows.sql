-- The first start, a publication or a roll back held the workflow's row and then, for who made it, the profile; the
-- deletion of that account holds the profile and then writes the workflows that the person made. In a deadlock of the
-- two it could be the deletion that was undone. The profile comes first now, and who is gone by then is told so.

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
  perform from public.profiles as p where p.id = auth.uid() for key share;
  select w.* into v_workflow from public.workflows as w where w.id = p_workflow_id for no key update;
  if v_workflow.id is null or private.role_in_project(v_project_id) is null then
    perform private.refuse('workflow_not_found', 'There is no such workflow any more, or you are no longer a member of its project.');
  end if;
  perform private.require_role(v_project_id, 'editor');
  return v_workflow;
end
$$;
