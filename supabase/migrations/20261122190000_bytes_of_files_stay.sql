-- Storage asks a policy when an upload begins or a token for one is made, and writes the object later with rights of its
-- own. What a row stands for was, or is about to be, measured and hashed: so it is here, where the object is written, that
-- its bytes stay what they are, for everybody.

create function private.check_object()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
begin
  if tg_op = 'UPDATE' then
    -- The row after the object, as in deletion. Its lock meets finish_upload's: whoever is second sees what the first did.
    perform from public.file_storage as f where f.bucket_name = old.bucket_id and f.file_path = old.name for share;
    if found then
      raise insufficient_privilege using message = 'A file keeps its bytes and its place.';
    end if;
    -- Who had a token made before there was an object: it is somebody else's now.
    if new.owner_id is not null and new.owner_id is distinct from old.owner_id then
      raise insufficient_privilege using message = 'The object belongs to somebody else.';
    end if;
    if new.bucket_id = old.bucket_id and new.name = old.name then
      return new;
    end if;
  end if;
  select f.* into v_file from public.file_storage as f
  where f.bucket_name = new.bucket_id and f.file_path = new.name
  for share;
  if v_file.status = 'ready' then
    raise insufficient_privilege using message = 'There is a file already.';
  end if;
  if v_file.id is not null and new.owner_id is not null and v_file.uploaded_by::text is distinct from new.owner_id then
    raise insufficient_privilege using message = 'This is the place of somebody else''s upload.';
  end if;
  -- A place that an upload was given is good for that upload alone: its token outlives a file that was deleted.
  if new.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    and (v_file.id is null or private.upload_is_over(v_file))
  then
    raise insufficient_privilege using message = 'No upload to this place is under way.';
  end if;
  return new;
end
$$;

create trigger objects_check_new before insert on storage.objects
for each row when (new.bucket_id = 'genesis-files') execute function private.check_object();

create trigger objects_check_change before update on storage.objects
for each row when (
  'genesis-files' in (old.bucket_id, new.bucket_id)
  and (old.version, old.name, old.bucket_id) is distinct from (new.version, new.name, new.bucket_id)
)
execute function private.check_object();

-- Who was removed keeps the token by which they could replace an object of theirs.
create trigger objects_check_replacer before update on storage.objects
for each row when (
  new.bucket_id = 'genesis-files' and new.owner_id is not null
  and (old.version, old.name, old.bucket_id) is distinct from (new.version, new.name, new.bucket_id)
)
execute function private.check_uploader();
