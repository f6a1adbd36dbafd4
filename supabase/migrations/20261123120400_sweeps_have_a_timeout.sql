-- What pg_cron calls once a minute has the patience of the role that made the job, two minutes on the platform and none elsewhere:
-- a condition of one project that takes for ever had the sweep for so long, with all that PostgreSQL keeps of its steps. It has
-- now what a person's claim has. Making a job of the same name again changes it.

create function private.sweep_command()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'set statement_timeout = ''8s''; select private.reclaim_tasks()'
$$;
revoke execute on function private.sweep_command() from public, anon, authenticated, service_role;

do $$
begin
  if exists (select from pg_extension as e where e.extname = 'pg_cron') then
    perform cron.schedule('genesis-sweep-leases', '* * * * *', private.sweep_command());
  end if;
end
$$;
