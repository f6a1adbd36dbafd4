-- Who was removed while their upload or deletion waited for somebody else's still put the object there, or took it away:
-- policies, and the trigger that asks before an object is written, look at what there was before the wait.

create trigger objects_check_uploader_again after insert on storage.objects
for each row when (new.bucket_id = 'genesis-files' and new.owner_id is not null) execute function private.check_uploader();

create function private.check_remover()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not exists (
    select from public.projects as p
    left join public.project_collaborators as c on c.project_id = p.id and c.user_id = auth.uid()
    where p.id::text = (storage.foldername(old.name))[1]
      and (p.owner_id = auth.uid() or c.role = 'owner' or c.role = 'editor' and old.owner_id = auth.uid()::text)
  ) then
    raise insufficient_privilege using message = 'You may no longer delete this object.';
  end if;
  return null;
end
$$;
revoke execute on function private.check_remover() from public, anon, authenticated, service_role;

create trigger objects_check_remover after delete on storage.objects
for each row when (old.bucket_id = 'genesis-files' and row_security_active('storage.objects')) execute function private.check_remover();
