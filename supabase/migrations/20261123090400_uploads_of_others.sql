-- Whoever asked to finish somebody else's upload was told that there is one; who asked to delete it, that there is none. An
-- upload under way is nobody's but its maker's.

create or replace function private.check_upload(p_file_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
  v_object storage.objects;
begin
  select f.* into v_file from public.file_storage as f where f.id = p_file_id;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null
    or v_file.status = 'pending' and not private.is_worker() and v_file.uploaded_by is distinct from auth.uid()
  then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
  end if;
  perform private.require_role(v_file.project_id, 'editor');
  if not private.is_worker() and v_file.uploaded_by is distinct from auth.uid() then
    perform private.refuse('forbidden', 'Only who began an upload can finish it.');
  end if;
  if v_file.status = 'pending' and private.upload_is_over(v_file) then
    perform private.refuse('upload_expired', 'The upload took too long and was given up.');
  end if;
  select o.* into v_object from storage.objects as o
  where o.bucket_id = v_file.bucket_name and o.name = v_file.file_path and o.metadata is not null;
  if v_object.id is null then
    perform private.refuse('file_not_found', 'The object has not arrived.');
  end if;
  return jsonb_build_object(
    'file', to_jsonb(v_file) - 'upload_seconds', 'stored_mime_type', v_object.metadata ->> 'mimetype'
  );
end
$$;
