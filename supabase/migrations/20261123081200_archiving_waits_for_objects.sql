-- Objects were still put into the bucket, uploads finished and objects deleted in a project that had been archived
-- meanwhile: its state was looked at without holding it, and in deletions not at all. Archiving waits for them now, as for
-- everything else that people write.

create or replace function private.check_uploader()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_folder text;
begin
  -- Beside the projects' folders only the secret key puts anything, for whomever it likes. Who moves an object takes it from
  -- one project and brings it to another.
  foreach v_folder in array array(
    select distinct f
    from unnest(array[
      (storage.foldername(new.name))[1],
      case when tg_op = 'UPDATE' and old.bucket_id = new.bucket_id then (storage.foldername(old.name))[1] end
    ]) as f
    where f ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    order by f
  ) loop
    -- Before an object is there its place may still have to be waited for, and who waits must hold up no archiving.
    if tg_when = 'AFTER' or tg_op = 'UPDATE' then
      perform private.hold_project_status(v_folder::uuid);
    end if;
    if not exists (
      select from public.projects as p
      left join public.project_collaborators as c on c.project_id = p.id and c.user_id::text = new.owner_id
      where p.id = v_folder::uuid
        and p.status = 'active'
        and (p.owner_id::text = new.owner_id or c.role in ('owner', 'editor'))
    ) then
      raise insufficient_privilege using message = 'The uploader can no longer write to this project.';
    end if;
  end loop;
  return new;
end
$$;

create or replace function private.check_remover()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- A folder that is no project's has nobody who may delete there.
  v_project_id uuid := substring(old.name from '^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/');
begin
  perform private.hold_project_status(v_project_id);
  if not exists (
    select from public.projects as p
    left join public.project_collaborators as c on c.project_id = p.id and c.user_id = auth.uid()
    where p.id = v_project_id
      and p.status = 'active'
      and (p.owner_id = auth.uid() or c.role = 'owner' or c.role = 'editor' and old.owner_id = auth.uid()::text)
  ) then
    raise insufficient_privilege using message = 'You may no longer delete this object.';
  end if;
  return null;
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
  select f.* into v_file from public.file_storage as f where f.id = p_file_id for update;
  v_status := private.hold_project_status(v_file.project_id);
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
