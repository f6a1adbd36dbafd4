-- Who asks, for the policies that every read goes through. What it answers is what auth.uid() answers; but that is a SQL
-- function, which PostgreSQL parses anew for every statement that names it, and it reads the whole token as jsonb.
create function private.user_id()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub'
  )::uuid;
end
$$;
grant execute on function private.user_id() to authenticated, service_role;
