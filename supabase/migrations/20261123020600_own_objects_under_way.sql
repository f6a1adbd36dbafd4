-- objects_under_way() told anybody who speaks SQL the paths of everybody's pending uploads. The policy that asks for them
-- lets nobody read outside their projects anyway: it is told those of the reader's projects.
create or replace function private.objects_under_way()
returns setof text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select f.file_path from public.file_storage as f
  where f.status = 'pending' and f.bucket_name = 'genesis-files' and f.uploaded_by is distinct from auth.uid()
    and f.project_id = any ((select private.readable_project_ids())::uuid[]);
end
$$;
