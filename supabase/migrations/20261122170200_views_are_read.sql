-- The views are for reading. A write to one was refused for what it is (55000, a 500 by the Data API) before anybody asked
-- for the right to it; with a trigger in place the right is asked for, and nobody has it.
create function private.refuse_write_to_view()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  raise insufficient_privilege using message = format('The view %s is for reading.', tg_table_name);
end
$$;
revoke execute on function private.refuse_write_to_view() from public, anon, authenticated, service_role;

create trigger project_members_are_read instead of insert or update or delete on public.project_members
for each row execute function private.refuse_write_to_view();

create trigger artifact_provenance_is_read instead of insert or update or delete on public.artifact_provenance
for each row execute function private.refuse_write_to_view();
