-- What a person may read is one row, made anew with every change: that of somebody with a million projects of their own
-- took seconds, in which they could be removed from nobody else's project, and none that they were in be deleted. One
-- person makes projects until they hold a thousand.

insert into private.error_codes (code, http_status) values ('too_many_projects', 429);

create function private.limit_projects()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_per_person constant integer := 1000;
begin
  if c_per_person < (select count(*) from public.projects as p where p.owner_id = auth.uid()) then
    perform private.refuse(
      'too_many_projects', format('One person holds at most %s projects: delete some, or pass them on.', c_per_person)
    );
  end if;
  return null;
end
$$;
revoke execute on function private.limit_projects() from public, anon, authenticated, service_role;

-- By name it comes behind the trigger that locks the person's row: of two statements of theirs the second one sees the
-- projects of the first.
create trigger projects_limit_projects after insert on public.projects
for each statement when (row_security_active('public.projects')) execute function private.limit_projects();
