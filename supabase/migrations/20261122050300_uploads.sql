-- Beginning, checking, finishing and taking back an upload. What a file is (size, hash, type) is said by the function
-- that read its bytes, with the secret key: a caller's own word for it would be no better than the content type they sent.

create function private.reserve_file(
  p_project_id uuid, p_file_name text, p_path text, p_mime_type text, p_file_size bigint, p_seconds integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
  v_name text := private.clean_file_name(p_file_name);
  v_file public.file_storage;
begin
  perform private.require_role(p_project_id, 'editor');
  if v_name is null then
    perform private.refuse_field('file_name', 'must have 1 to 255 characters that can be seen');
  end if;
  if p_path is not null and not private.is_artifact_path(p_path) then
    perform private.refuse_field('path', private.artifact_path_rule());
  end if;
  insert into public.file_storage (id, project_id, file_path, file_name, mime_type, file_size, upload_seconds, uploaded_by, metadata)
  values (
    v_id, p_project_id, p_project_id || '/' || v_id, v_name, p_mime_type, p_file_size, p_seconds, auth.uid(),
    case when p_path is null then '{}' else jsonb_build_object('path', p_path) end
  )
  returning * into v_file;
  return jsonb_build_object('file', to_jsonb(v_file) - 'upload_seconds');
end
$$;

create or replace function private.register_upload(p_project_id uuid, p_file_name text, p_path text, p_mime_type text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return private.reserve_file(p_project_id, p_file_name, p_path, p_mime_type, null, 900);
end
$$;

-- The token of a signed upload lives two hours; what began within them may take one more.
create function private.sign_upload(p_project_id uuid, p_file_name text, p_file_size bigint, p_mime_type text, p_path text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_limit bigint;
begin
  perform private.require_role(p_project_id, 'editor');
  if coalesce(p_file_size, -1) < 0 then
    perform private.refuse_field('file_size', 'must be a number of bytes');
  end if;
  if coalesce(p_mime_type, '') !~ '^[A-Za-z0-9_.+-]+/[A-Za-z0-9_.+-]+(\s*;.*)?$' or char_length(p_mime_type) > 255 then
    perform private.refuse_field('mime_type', 'must be a media type');
  end if;
  select b.file_size_limit into v_limit from storage.buckets as b where b.id = 'genesis-files';
  if p_file_size > v_limit then
    perform private.refuse('payload_too_large', format('A file may have at most %s bytes.', v_limit));
  end if;
  return private.reserve_file(p_project_id, p_file_name, p_path, p_mime_type, p_file_size, 10800);
end
$$;

-- May the caller finish this upload, and has its object arrived? Asked before its bytes are read.
create function private.check_upload(p_file_id uuid)
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
  if private.upload_is_over(v_file) then
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

-- Makes a file ready. Only the service calls this; what counts is that whoever uploads may still do so.
create or replace function private.finish_upload(p_file_id uuid, p_file_size bigint, p_sha256 text, p_mime_type text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
  v_object storage.objects;
  v_status text;
begin
  if not private.is_worker() then
    perform private.refuse('forbidden', 'A file is finished by POST /upload-file/finish, which reads its bytes.');
  end if;
  if coalesce(p_sha256, '') !~ '^[0-9a-f]{64}$' then
    perform private.refuse_field('sha256', 'must be 64 hexadecimal digits');
  end if;
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
  select p.status into v_status from public.projects as p where p.id = v_file.project_id;
  if v_file.id is null or v_file.uploaded_by is not null and not exists (
    select from public.projects as p
    left join public.project_collaborators as c on c.project_id = p.id and c.user_id = v_file.uploaded_by
    where p.id = v_file.project_id and (p.owner_id = v_file.uploaded_by or c.role in ('owner', 'editor'))
  ) then
    perform private.refuse('file_not_found', 'There is no such file, or its uploader can no longer write to its project.');
  end if;
  if v_status <> 'active' then
    perform private.refuse('project_not_active', format('The project is %s, so nothing in it can change.', v_status));
  end if;
  if v_file.status <> 'pending' then
    perform private.refuse('file_not_pending', 'The upload of this file is already finished.');
  end if;
  if private.upload_is_over(v_file) then
    perform private.refuse('upload_expired', 'The upload took too long and was given up.');
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
  return jsonb_build_object('file', to_jsonb(v_file) - 'upload_seconds');
end
$$;

-- Gives an upload up, so that nobody can finish it any more. Its row goes now where there is no object; else with the
-- object, which Storage must remove. Idempotent: an upload already gone is gone.
create or replace function private.abort_upload(p_file_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
begin
  update public.file_storage as f
  set upload_seconds = 0
  where f.id = p_file_id and f.status = 'pending' and (private.is_worker() or f.uploaded_by = auth.uid())
  returning f.* into v_file;
  delete from public.file_storage as f
  where f.id = v_file.id
    and not exists (select from storage.objects as o where o.bucket_id = v_file.bucket_name and o.name = v_file.file_path);
  return jsonb_build_object('aborted', v_file.id is not null);
end
$$;

create function public.sign_upload(
  project_id uuid, file_name text, file_size bigint, mime_type text, path text default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.sign_upload(
    sign_upload.project_id, sign_upload.file_name, sign_upload.file_size, sign_upload.mime_type, sign_upload.path
  );
end
$$;

create function public.check_upload(file_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.check_upload(check_upload.file_id);
end
$$;
grant execute on function
  private.sign_upload(uuid, text, bigint, text, text), public.sign_upload(uuid, text, bigint, text, text),
  private.check_upload(uuid), public.check_upload(uuid)
to authenticated, service_role;
