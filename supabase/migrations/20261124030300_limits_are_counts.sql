-- A limit of a project that is no number (`"concurrency_limit": "5"`, which forms send) was kept and passed over in silence: all
-- tasks ran at once. It is refused where it is written, and so is a part of a number, which was cut off, or one below zero, which
-- was taken for zero. What stands in a project from before stays as it is, and works as it did, until it is changed.
create function private.check_limit()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_limit jsonb := new.settings -> 'concurrency_limit';
  v_count numeric := case when jsonb_typeof(v_limit) = 'number' then v_limit::numeric end;
begin
  if v_limit = 'null' or (v_count >= 0 and v_count % 1 = 0) then
    return new;
  elsif tg_op = 'UPDATE' and v_limit = old.settings -> 'concurrency_limit' then
    return new;
  end if;
  raise check_violation using
    message = 'The concurrency_limit of the settings must be a whole number, 0 or more, or null.',
    constraint = 'projects_settings_concurrency_limit_is_a_count', table = tg_table_name;
end
$$;
revoke execute on function private.check_limit() from public, anon, authenticated, service_role;

create trigger projects_check_limit before insert or update of settings on public.projects
for each row when (new.settings ? 'concurrency_limit')
execute function private.check_limit();
