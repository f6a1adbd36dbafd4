-- An object appears together with its row: while its upload is pending, only who uploads it sees it, as with the row.
-- The names come from a definer, because the policy's own look at file_storage would not see what it must hide.

create function private.objects_under_way()
returns setof text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select f.file_path from public.file_storage as f
  where f.status = 'pending' and f.bucket_name = 'genesis-files' and f.uploaded_by is distinct from auth.uid();
end
$$;
grant execute on function private.objects_under_way() to authenticated, service_role;

drop policy "members can read the files of their projects" on storage.objects;
create policy "members can read the files of their projects" on storage.objects
for select to authenticated
using (
  bucket_id = 'genesis-files'
  and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('reader') as p (id))
  and name not in (select u.name from private.objects_under_way() as u (name))
);
