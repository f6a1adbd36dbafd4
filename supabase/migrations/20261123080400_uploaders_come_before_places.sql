-- Whoever put an object under a name in somebody else's project was told what stands there: a file, an upload under way or
-- nothing; and waited for the lock of a file that is none of theirs. Triggers that come before a row are asked before
-- policies, in the order of their names: so who may write there is asked first now, and what stands there after it.

drop trigger objects_check_new on storage.objects;
drop trigger objects_check_change on storage.objects;
drop trigger objects_check_uploader on storage.objects;

-- What has no owner was sent with the secret key, or by somebody without an account, whom policies bind.
create trigger objects_check_uploader before insert on storage.objects
for each row when (
  new.bucket_id = 'genesis-files' and (new.owner_id is not null or row_security_active('storage.objects'))
)
execute function private.check_uploader();

create trigger objects_keep_new_place before insert on storage.objects
for each row when (new.bucket_id = 'genesis-files') execute function private.check_object();

create trigger objects_keep_place before update on storage.objects
for each row when (
  'genesis-files' in (old.bucket_id, new.bucket_id)
  and (old.version, old.name, old.bucket_id) is distinct from (new.version, new.name, new.bucket_id)
)
execute function private.check_object();
