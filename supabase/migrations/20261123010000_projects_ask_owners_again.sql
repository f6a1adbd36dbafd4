-- A co-owner who was removed, or made a viewer, still deleted the project, or changed it, by a statement that waited for the
-- removal: removing an owner holds the project's row, and the policies look at what there was when a statement began.

create function private.ask_owner_of_project_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Row by row, as one statement may change thousands of the caller's own.
  if private.role_in_project(old.id) is distinct from 'owner' then
    perform private.refuse('forbidden', 'Only an owner of the project can change or delete it.');
  end if;
  return case when tg_op = 'UPDATE' then new else old end;
end
$$;
revoke execute on function private.ask_owner_of_project_again() from public, anon, authenticated, service_role;

-- Before: the row is locked by then, and still there.
create trigger projects_ask_owner_again before update or delete on public.projects
for each row when (row_security_active('public.projects')) execute function private.ask_owner_of_project_again();
