-- The roles a hosted project has. They belong to the whole cluster, so they are only ever created, never reset:
-- on a PostgreSQL of your own, a role that exists already is left as it is.
do $$
declare
  v_role text;
  v_options text;
begin
  for v_role, v_options in
    select * from (values
      ('anon', 'nologin'),
      ('authenticated', 'nologin'),
      ('service_role', 'nologin bypassrls'),
      ('authenticator', 'login noinherit'),
      ('supabase_admin', 'login superuser createdb createrole replication bypassrls'),
      ('supabase_auth_admin', 'login noinherit createrole'),
      ('supabase_storage_admin', 'login noinherit createrole'),
      ('supabase_realtime_admin', 'nologin noinherit'),
      ('dashboard_user', 'nologin createdb createrole replication'),
      ('postgres', 'login createdb createrole replication bypassrls')
    ) as wanted (role_name, options)
    where not exists (select from pg_catalog.pg_roles where rolname = wanted.role_name)
  loop
    execute format('create role %I %s', v_role, v_options);
    -- The same settings the platform gives: who waits how long, and where names are looked up.
    execute format('alter role %I set search_path to %s', v_role, case v_role
      when 'supabase_auth_admin' then 'auth'
      when 'supabase_storage_admin' then 'storage'
      else '"$user", public, extensions' end);
    if v_role in ('anon', 'authenticated', 'authenticator') then
      execute format('alter role %I set statement_timeout to %L', v_role, case v_role when 'anon' then '3s' else '8s' end);
    end if;
  end loop;
end
$$;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend, pg_checkpoint, pg_create_subscription to postgres with admin option;
grant anon, authenticated, service_role to supabase_storage_admin;

-- An earlier version of this file made `postgres` a member of the roles that own auth, storage and realtime, which it is
-- not on the platform: 70_policy_grants.sql has the little of it that is true.
do $$
declare
  v_owner text;
begin
  for v_owner in
    select m.roleid::regrole::text from pg_catalog.pg_auth_members as m
    where m.member = 'postgres'::regrole
      and m.roleid in ('supabase_auth_admin'::regrole, 'supabase_storage_admin'::regrole, 'supabase_realtime_admin'::regrole)
  loop
    execute format('revoke %s from postgres', v_owner);
  end loop;
end
$$;
