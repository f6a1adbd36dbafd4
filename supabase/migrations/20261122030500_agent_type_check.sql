-- The check that an agent's type is known in its project runs after the policies, no more before them: a stranger who
-- tried to insert an agent learned from the kind of refusal which types a project has.
drop trigger agents_check_type on public.agents;
create trigger agents_check_type after insert or update of type, project_id on public.agents
for each row execute function private.check_agent_type();
