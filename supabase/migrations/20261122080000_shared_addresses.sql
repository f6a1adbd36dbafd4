-- Accounts of single sign-on may share their address with others: Auth keeps addresses apart only among the rest. A
-- profile's address is unique, so the later one's is a stand-in; a failing trigger would keep its owner out altogether.

create or replace function private.create_profile()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_address text;
begin
  foreach v_address in array array[
    coalesce(new.email, new.id::text || '@phone.invalid'),
    new.id::text || '@shared.invalid'
  ] loop
    insert into public.profiles (id, email, full_name, avatar_url)
    values (
      new.id,
      v_address,
      left(new.raw_user_meta_data ->> 'full_name', 200),
      left(new.raw_user_meta_data ->> 'avatar_url', 2048)
    )
    on conflict do nothing;
    exit when found;
  end loop;
  return new;
end
$$;

create or replace function private.sync_profile_email()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.profiles as p set email = new.email where p.id = new.id and new.email is not null;
  return new;
exception when unique_violation then
  update public.profiles as p set email = new.id::text || '@shared.invalid' where p.id = new.id;
  return new;
end
$$;
