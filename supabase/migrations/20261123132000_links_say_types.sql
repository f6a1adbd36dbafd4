-- Who opens a link is told what Storage serves the object as, so that what could run scripts in a browser is saved instead of
-- shown. It is the object's own word and not the row's: what was put straight into the bucket is served as it was called there.

create or replace function private.open_link(p_file_id uuid, p_user_id uuid)
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
  return jsonb_build_object(
    'bucket_name', v_file.bucket_name,
    'file_path', v_file.file_path,
    'file_name', v_file.file_name,
    'served_as', (
      select o.metadata ->> 'mimetype' from storage.objects as o where o.bucket_id = v_file.bucket_name and o.name = v_file.file_path
    )
  );
end
$$;
