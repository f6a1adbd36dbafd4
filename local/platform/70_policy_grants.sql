-- On the platform `postgres` owns nothing in auth, storage and realtime, and is no member of the roles that do; there the
-- extension supautils lets it write policies and drop triggers on their tables, and nothing else that needs an owner. Here
-- it is made a member while such a statement runs: anything else fails with "must be owner of", as it does hosted.
create or replace function extensions.policy_grants() returns event_trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_event = 'ddl_command_start' then
    grant supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin to postgres with inherit true;
  else
    revoke supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin from postgres;
  end if;
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'policy_grants_start') then
    create event trigger policy_grants_start on ddl_command_start
      when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER') execute function extensions.policy_grants();
    create event trigger policy_grants_end on ddl_command_end
      when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER') execute function extensions.policy_grants();
  end if;
end
$$;
