-- set_user_role: the one door through which a person's role on the platform changes. Admins pass it, and workers, whose
-- secret key could write the row anyway; the first admin is made with that key.

insert into private.error_codes (code, http_status) values
  ('person_not_found', 404),
  ('last_admin', 409);

create function private.set_user_role(p_user_id uuid, p_role text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_profile public.profiles;
begin
  if not (private.is_worker() or private.is_admin()) then
    perform private.refuse('forbidden', 'Only an admin can set roles.');
  end if;
  if p_role is null or p_role not in ('user', 'admin', 'developer') then
    perform private.refuse_field('role', 'must be user, admin or developer');
  end if;

  -- All admins are locked, so that of two who step each other down at once one finds nobody left.
  perform 1 from public.profiles as p where p.role = 'admin' or p.id = p_user_id order by p.id for no key update;
  select p.* into v_profile from public.profiles as p where p.id = p_user_id;
  if v_profile.id is null then
    perform private.refuse('person_not_found', 'There is no such person.');
  end if;
  if v_profile.role = 'admin' and p_role <> 'admin' and not exists (
    select from public.profiles as p where p.role = 'admin' and p.id <> p_user_id
  ) then
    perform private.refuse('last_admin', 'This is the last admin: make another one first.');
  end if;

  update public.profiles as p set role = p_role where p.id = p_user_id;
  return jsonb_build_object('profile', jsonb_build_object('id', p_user_id, 'role', p_role));
end
$$;

create function public.set_user_role(user_id uuid, role text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.set_user_role(set_user_role.user_id, set_user_role.role);
end
$$;
grant execute on function private.set_user_role(uuid, text), public.set_user_role(uuid, text) to authenticated, service_role;
