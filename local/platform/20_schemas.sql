-- Schemas, extensions and default privileges of a new hosted project.
create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role, dashboard_user;
grant all on schema extensions to postgres;

create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;
do $$
begin
  create extension if not exists pg_stat_statements with schema extensions;
exception when others then
  raise notice 'pg_stat_statements is not available: %', sqlerrm;
end
$$;

do $$
begin
  execute format('grant all on database %I to postgres', current_database());
end
$$;

grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to postgres;

-- Once per database, told by the schema that the next file makes: a migration may take these back, for good.
-- They are the older, more permissive defaults, so that what our migrations revoke is really revoked by them.
do $$
declare
  v_owner text;
begin
  if to_regnamespace('auth') is not null then
    return;
  end if;
  foreach v_owner in array array['postgres', 'supabase_admin'] loop
    execute format('alter default privileges for role %I in schema public
      grant all on tables to postgres, anon, authenticated, service_role', v_owner);
    execute format('alter default privileges for role %I in schema public
      grant all on functions to postgres, anon, authenticated, service_role', v_owner);
    execute format('alter default privileges for role %I in schema public
      grant all on sequences to postgres, anon, authenticated, service_role', v_owner);
  end loop;
end
$$;

-- The Data API learns of a changed schema by itself, as on the platform.
create or replace function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() where schema_name is distinct from 'pg_temp') then
    notify pgrst, 'reload schema';
  end if;
end
$$;

create or replace function extensions.pgrst_drop_watch() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_dropped_objects() where not is_temporary) then
    notify pgrst, 'reload schema';
  end if;
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'pgrst_ddl_watch') then
    create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
    create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_drop_watch();
  end if;
end
$$;
