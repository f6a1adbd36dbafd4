-- Foundation: where things live and who may touch them before anything exists.
-- Functions on hot paths are plpgsql even where one expression would do: it keeps its plans for the session, while a SQL
-- function that cannot be inlined (a definer, or one with a search_path) is planned again at every call.
-- `public` is what the API shows: tables under row level security and thin SECURITY INVOKER doors. `private` holds the
-- engine and every SECURITY DEFINER function; no API schema list ever names it.

-- Without `in schema`: with it the statement has no effect, because the PUBLIC grant is a global default.
alter default privileges revoke execute on functions from public;

-- Older hosted projects hand every new object of `public` to the API roles. Grants here are written out instead.
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

create schema private;
comment on schema private is 'The engine and its helpers. Never exposed by the API.';

-- Doors run as their caller and call into `private` by name, which needs USAGE; EXECUTE is granted function by function.
grant usage on schema private to authenticated, service_role;

-- The closed list of refusals, equal to shared/errors.ts (a repository test compares them).
create table private.error_codes (
  code text primary key,
  http_status smallint not null,
  constraint error_codes_status_is_an_error check (http_status between 400 and 599)
);

insert into private.error_codes (code, http_status) values
  ('validation_failed', 422),
  ('forbidden', 403),
  ('project_not_found', 404),
  ('project_not_active', 409),
  ('workflow_not_found', 404),
  ('workflow_version_not_found', 404),
  ('workflow_invalid', 422),
  ('idempotency_conflict', 409),
  ('execution_not_found', 404),
  ('execution_not_running', 409),
  ('task_not_found', 404),
  ('task_lease_lost', 409),
  ('task_already_reported', 409),
  ('payload_too_large', 413),
  ('artifact_not_found', 404),
  ('artifact_conflict', 409),
  ('session_not_found', 404),
  ('file_not_found', 404),
  ('file_not_pending', 409),
  ('invitation_not_found', 404),
  ('invitation_expired', 410),
  ('invitation_not_pending', 409),
  ('invitation_wrong_address', 403),
  ('email_not_verified', 403),
  ('already_a_member', 409),
  ('too_many_invitations', 429);

-- Refuses with one code of the closed list. PostgREST turns SQLSTATE PTnnn into HTTP status nnn; `hint` carries the
-- code and `detail` its JSON, which is how the edge functions and the typed client recognise it.
create function private.refuse(p_code text, p_message text, p_details jsonb default '{}')
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_status smallint;
begin
  select e.http_status into strict v_status from private.error_codes as e where e.code = p_code;
  raise exception using
    errcode = 'PT' || v_status,
    message = p_message,
    detail = p_details::text,
    hint = p_code;
end
$$;

-- The refusal of one field, in the shape that failed contracts have too.
create function private.refuse_field(p_field text, p_rule text)
returns void
language sql
stable
set search_path = ''
as $$
  select private.refuse(
    'validation_failed', format('The field %s %s.', p_field, p_rule),
    jsonb_build_object('fields', jsonb_build_array(jsonb_build_object('path', p_field, 'message', p_rule)))
  )
$$;

-- Keeps `updated_at` honest on every table that has one.
create function private.set_updated_at()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  new.updated_at = now();
  return new;
end
$$;

-- True for the workers: a request with the secret key, or a session of the database itself (psql, cron, tests). It asks
-- which role the session took, not what a token claims; SECURITY DEFINER does not change that setting.
create function private.is_worker()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(nullif(current_setting('role', true), 'none'), session_user::text)
    in ('service_role', 'postgres', 'supabase_admin');
end
$$;
grant execute on function private.is_worker() to authenticated, service_role;
