-- The two database halves of an upload. register_upload reserves a name in the project before any byte is sent;
-- finish_upload makes the row visible as ready once the object is there, with the size and hash that really arrived.

create function private.register_upload(p_project_id uuid, p_file_name text, p_path text, p_mime_type text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
  v_file public.file_storage;
begin
  perform private.require_role(p_project_id, 'editor');
  if coalesce(char_length(btrim(p_file_name)), 0) not between 1 and 255 then
    perform private.refuse_field('file_name', 'must have 1 to 255 characters');
  end if;
  if p_path is not null and not private.is_artifact_path(p_path) then
    perform private.refuse_field('path', private.artifact_path_rule());
  end if;
  insert into public.file_storage (id, project_id, file_path, file_name, mime_type, uploaded_by, metadata)
  values (
    v_id, p_project_id, p_project_id || '/' || v_id, p_file_name, p_mime_type, auth.uid(),
    case when p_path is null then '{}' else jsonb_build_object('path', p_path) end
  )
  returning * into v_file;
  return jsonb_build_object('file', to_jsonb(v_file));
end
$$;

create function private.finish_upload(p_file_id uuid, p_file_size bigint, p_sha256 text, p_mime_type text)
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
  if p_sha256 !~ '^[0-9a-f]{64}$' then
    perform private.refuse_field('sha256', 'must be 64 hexadecimal digits');
  end if;
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
  end if;
  perform private.require_role(v_file.project_id, 'editor');
  if v_file.status <> 'pending' then
    perform private.refuse('file_not_pending', 'The upload of this file is already finished.');
  end if;
  if not private.is_worker() and v_file.uploaded_by is distinct from auth.uid() then
    perform private.refuse('forbidden', 'Only who began an upload can finish it.');
  end if;
  select o.* into v_object from storage.objects as o where o.bucket_id = v_file.bucket_name and o.name = v_file.file_path;
  if v_object.id is null then
    perform private.refuse('file_not_found', 'The object has not arrived.');
  end if;
  if (v_object.metadata ->> 'size')::bigint is distinct from p_file_size then
    perform private.refuse(
      'validation_failed', 'The object has another size than was sent.',
      jsonb_build_object('sent', p_file_size, 'stored', v_object.metadata -> 'size')
    );
  end if;
  update public.file_storage as f
  set status = 'ready', file_size = p_file_size, sha256 = p_sha256, mime_type = coalesce(p_mime_type, f.mime_type, 'application/octet-stream')
  where f.id = p_file_id
  returning f.* into v_file;
  return jsonb_build_object('file', to_jsonb(v_file));
end
$$;

-- Takes back a reservation whose object never came. Idempotent: an upload already gone is gone.
create function private.abort_upload(p_file_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  delete from public.file_storage as f
  where f.id = p_file_id and f.status = 'pending' and (private.is_worker() or f.uploaded_by = auth.uid());
  return jsonb_build_object('aborted', found);
end
$$;

create function public.register_upload(project_id uuid, file_name text, path text default null, mime_type text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.register_upload(
    register_upload.project_id, register_upload.file_name, register_upload.path, register_upload.mime_type
  );
end
$$;

create function public.finish_upload(file_id uuid, file_size bigint, sha256 text, mime_type text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.finish_upload(finish_upload.file_id, finish_upload.file_size, finish_upload.sha256, finish_upload.mime_type);
end
$$;

create function public.abort_upload(file_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.abort_upload(abort_upload.file_id);
end
$$;
grant execute on function
  private.register_upload(uuid, text, text, text), public.register_upload(uuid, text, text, text),
  private.finish_upload(uuid, bigint, text, text), public.finish_upload(uuid, bigint, text, text),
  private.abort_upload(uuid), public.abort_upload(uuid)
to authenticated, service_role;
