-- postgres_changes carries the tables a screen is made of, each change to those who may read the row (a DELETE, which
-- the platform announces to every subscriber, says no more than the key). The log and the versions are not among them:
-- they are read from a cursor, which the broadcasts move.
do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    return;
  end if;
  alter publication supabase_realtime add table
    public.profiles, public.projects, public.project_collaborators, public.agents, public.workflows,
    public.workflow_executions, public.agent_tasks, public.code_artifacts, public.chat_sessions, public.chat_messages,
    public.file_storage;
end
$$;
