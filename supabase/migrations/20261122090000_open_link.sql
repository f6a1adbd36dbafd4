-- Links that members get to a file end with their membership: a link names who asked for it, and whoever opens it is told
-- where the bytes are only while that person could ask again. Storage's own links cannot be called back.

create function private.open_link(p_file_id uuid, p_user_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
begin
  if not private.is_worker() then
    perform private.refuse('forbidden', 'A link is opened by its address.');
  end if;
  select f.* into v_file
  from public.file_storage as f
  join public.projects as p on p.id = f.project_id
  left join public.project_collaborators as c on c.project_id = p.id and c.user_id = p_user_id
  left join public.profiles as a on a.id = p_user_id and a.role = 'admin'
  where f.id = p_file_id
    and f.status = 'ready'
    -- Null: a worker asked for it. Otherwise as private.role_in_project() has it.
    and (
      p_user_id is null
      or p.owner_id = p_user_id
      or c.role = 'owner'
      or p.status <> 'deleted' and (c.role is not null or a.id is not null)
    );
  if v_file.id is null then
    perform private.refuse('file_not_found', 'There is no such file any more, or who asked for the link may no longer read it.');
  end if;
  return jsonb_build_object('bucket_name', v_file.bucket_name, 'file_path', v_file.file_path, 'file_name', v_file.file_name);
end
$$;

create function public.open_link(file_id uuid, user_id uuid default null)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return private.open_link(open_link.file_id, open_link.user_id);
end
$$;

grant execute on function private.open_link(uuid, uuid), public.open_link(uuid, uuid) to authenticated, service_role;
