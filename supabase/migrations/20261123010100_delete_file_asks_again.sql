-- An editor who was removed while their deletion waited for the file still deleted other people's: to the question whether
-- they own the project there was no answer any more, and none is not "no".

create or replace function private.delete_file(p_file_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
begin
  select f.* into v_file from public.file_storage as f where f.id = p_file_id;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null
    or v_file.status = 'pending' and not private.is_worker() and v_file.uploaded_by is distinct from auth.uid()
  then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_file.project_id, 'editor');
  -- Only now, and once more: whoever may not delete it must not be able to hold it, and who waited may have lost the right.
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file any more, or you are no longer a member of its project.');
  end if;
  perform private.require_role(v_file.project_id, 'editor');
  if v_file.uploaded_by is distinct from auth.uid() and private.role_in_project(v_file.project_id) is distinct from 'owner' then
    perform private.refuse('forbidden', 'Only who uploaded a file, or an owner of the project, can delete it.');
  end if;
  perform private.abort_upload(p_file_id);
  delete from public.file_storage as f
  where f.id = p_file_id
    and not exists (select from storage.objects as o where o.bucket_id = v_file.bucket_name and o.name = v_file.file_path);
  return jsonb_build_object(
    'file', to_jsonb(v_file) - 'upload_seconds',
    'is_gone', not exists (select from public.file_storage as f where f.id = p_file_id)
  );
end
$$;
