-- Who deletes a project locks it first and its files after it; sharing, deleting and finishing a file did it the other way
-- round, and what met ended in a deadlock. And whoever shared without a pause put their own removal off: each share held the
-- membership in a way that any number may at once, while a removal waits until nobody does. They take turns now.

create or replace function private.share_file(p_file_id uuid, p_expires_in_seconds integer, p_max_downloads integer, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
  v_share public.file_shares;
begin
  select f.* into v_file from public.file_storage as f where f.id = p_file_id and f.status = 'ready';
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
  end if;
  -- Only now, and once more: nobody else may hold it, or wait for who does.
  perform private.require_role(v_file.project_id, 'editor');
  select f.* into v_file from public.file_storage as f where f.id = p_file_id and f.status = 'ready' for share;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file any more, or you are no longer a member of its project.');
  end if;
  perform 1 from public.project_collaborators as c
  where c.project_id = v_file.project_id and c.user_id = auth.uid()
  for no key update;
  perform private.require_role(v_file.project_id, 'editor');
  if coalesce(p_expires_in_seconds, 0) not between 60 and 2592000 then
    perform private.refuse_field('expires_in_seconds', 'must be from 60 to 2592000');
  end if;
  if p_max_downloads < 1 then
    perform private.refuse_field('max_downloads', 'must be at least 1');
  end if;
  if coalesce(p_token_sha256, '') !~ '^[0-9a-f]{64}$' then
    perform private.refuse_field('token_sha256', 'must be 64 hexadecimal digits');
  end if;
  insert into public.file_shares (file_id, project_id, created_by, expires_at, max_downloads)
  values (p_file_id, v_file.project_id, auth.uid(), now() + make_interval(secs => p_expires_in_seconds), p_max_downloads)
  returning * into v_share;
  insert into private.file_share_tokens (share_id, token_hash) values (v_share.id, decode(p_token_sha256, 'hex'));
  return jsonb_build_object('share_id', v_share.id, 'expires_at', v_share.expires_at, 'max_downloads', v_share.max_downloads);
end
$$;

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
  perform private.hold_project_status(v_file.project_id);
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
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
  v_status := private.hold_project_status((select f.project_id from public.file_storage as f where f.id = p_file_id));
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
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
    -- Sent twice at once, an upload is read twice, and by rights alike.
    if (v_file.file_size, v_file.sha256) is distinct from (p_file_size, p_sha256) then
      perform private.refuse('file_not_pending', 'The upload of this file is already finished.');
    end if;
    return jsonb_build_object('file', to_jsonb(v_file) - 'upload_seconds');
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
