-- What people read most often compares with the list of their projects, which is asked for once per statement.

alter policy "members can read their projects" on public.projects
using (owner_id = (select auth.uid()) or id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read who is in their projects" on public.project_collaborators
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read workflows" on public.workflows
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read published versions" on public.workflow_versions
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read executions" on public.workflow_executions
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read tasks" on public.agent_tasks
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read events" on public.execution_events
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read decisions" on public.task_decisions
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "members can read artifacts" on public.code_artifacts
using (project_id = any ((select private.readable_project_ids())::uuid[]));

alter policy "people can read their own sessions and those shared with their projects" on public.chat_sessions
using (
  project_id = any ((select private.readable_project_ids())::uuid[])
  and (user_id = (select auth.uid()) or is_shared or (select private.is_admin()))
);

-- Under the policy of sessions itself. PostgreSQL looks the session of each message up where the messages are few, as on
-- a page of one chat, and reads the sessions once where they are many; a list of all one's sessions would cost every
-- page what the busiest team has.
alter policy "people can read the messages of sessions they can read" on public.chat_messages
using (exists (select from public.chat_sessions as s where s.id = session_id));
