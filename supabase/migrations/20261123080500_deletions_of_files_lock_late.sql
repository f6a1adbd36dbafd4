-- An editor who may not delete somebody else's file waited for its lock, and held it, before they were told so. All that is
-- asked of who deletes a file is asked before the lock now, and again under it.

create function private.require_remover(p_file public.file_storage)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role text := private.role_in_project(p_file.project_id);
begin
  if v_role is null
    or p_file.status = 'pending' and not private.is_worker() and p_file.uploaded_by is distinct from auth.uid()
  then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
  end if;
  perform private.ask_role(p_file.project_id, 'editor');
  if p_file.uploaded_by is distinct from auth.uid() and v_role <> 'owner' then
    perform private.refuse('forbidden', 'Only who uploaded a file, or an owner of the project, can delete it.');
  end if;
end
$$;
revoke execute on function private.require_remover(public.file_storage) from public, anon, authenticated, service_role;

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
  perform private.require_remover(v_file);
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
  perform private.hold_project_status(v_file.project_id);
  perform private.require_remover(v_file);
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
