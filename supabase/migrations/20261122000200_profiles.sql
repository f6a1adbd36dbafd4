-- Profiles: the person behind a sign-in. Made by trigger at sign-up, never by a client, so that nobody can choose their
-- own role or address. A person reads their own row; what fellow members may know of each other is in project_members.

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  email text not null unique,
  full_name text,
  avatar_url text,
  role text not null default 'user',
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint profiles_role_is_known check (role in ('user', 'admin', 'developer')),
  constraint profiles_full_name_is_short check (char_length(full_name) <= 200),
  constraint profiles_avatar_url_is_short check (char_length(avatar_url) <= 2048),
  constraint profiles_preferences_is_an_object check (jsonb_typeof(preferences) = 'object'),
  constraint profiles_preferences_is_small check (octet_length(preferences::text) <= 65536)
);
revoke all on public.profiles from anon, authenticated, service_role;
grant select, update (full_name, avatar_url, preferences) on public.profiles to authenticated;
grant select, insert, update, delete on public.profiles to service_role;
alter table public.profiles enable row level security;

create trigger profiles_set_updated_at before update on public.profiles
for each row execute function private.set_updated_at();

-- Read from the row, not from the token: taking the role away takes effect with the next statement.
create function private.is_admin()
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (select from public.profiles as p where p.id = (select auth.uid()) and p.role = 'admin')
$$;
grant execute on function private.is_admin() to authenticated, service_role;

create policy "people can read their own profile, admins all" on public.profiles
for select to authenticated
using (id = (select auth.uid()) or (select private.is_admin()));

create policy "people can edit their own profile" on public.profiles
for update to authenticated
using (id = (select auth.uid()))
with check (id = (select auth.uid()));

-- Sign-up metadata is the caller's own words: only the two display fields are taken from it, cut to size, because a
-- failing trigger here would block the sign-up itself. The role is never read from it.
create function private.create_profile()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.profiles (id, email, full_name, avatar_url)
  values (
    new.id,
    coalesce(new.email, new.id::text || '@phone.invalid'),
    left(new.raw_user_meta_data ->> 'full_name', 200),
    left(new.raw_user_meta_data ->> 'avatar_url', 2048)
  )
  on conflict (id) do nothing;
  return new;
end
$$;

create trigger users_create_profile after insert on auth.users
for each row execute function private.create_profile();

-- The address follows Auth, which has verified it.
create function private.sync_profile_email()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.profiles as p set email = new.email where p.id = new.id and new.email is not null;
  return new;
end
$$;

create trigger users_sync_profile_email after update of email on auth.users
for each row when (old.email is distinct from new.email) execute function private.sync_profile_email();
