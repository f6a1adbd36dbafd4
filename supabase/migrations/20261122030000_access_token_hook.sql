-- The custom access token hook: a token carries its holder's role on the platform as `user_role`, for clients that choose
-- what to show by it. Nothing in the database decides by that claim: a token is up to an hour old, and
-- private.is_admin() reads the row. config.toml switches the hook on.

create function private.custom_access_token_hook(p_event jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role text;
begin
  select p.role into v_role from public.profiles as p where p.id = (p_event ->> 'user_id')::uuid;
  -- Always written, so that whatever a claim of that name held before is gone.
  return jsonb_set(p_event, '{claims,user_role}', to_jsonb(coalesce(v_role, 'user')));
end
$$;

-- Auth calls it as itself and needs no more than this: the roles of those who have one.
grant usage on schema private to supabase_auth_admin;
grant execute on function private.custom_access_token_hook(jsonb) to supabase_auth_admin;
grant select (id, role) on public.profiles to supabase_auth_admin;
create policy "the auth service can read roles above user for the tokens" on public.profiles
for select to supabase_auth_admin
using (role <> 'user');
