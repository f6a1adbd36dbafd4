-- A link to upload to is good for two hours, and Storage asks no policy when it is used. So that a collaborator who was
-- removed loses it at once, whoever an object will belong to must be able to write to its project when it arrives.

create function private.check_uploader()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Beside the projects' folders only the secret key puts anything, for whomever it likes.
  if (storage.foldername(new.name))[1] ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' and not exists (
    select from public.projects as p
    left join public.project_collaborators as c on c.project_id = p.id and c.user_id::text = new.owner_id
    where p.id::text = (storage.foldername(new.name))[1]
      and p.status = 'active'
      and (p.owner_id::text = new.owner_id or c.role in ('owner', 'editor'))
  ) then
    raise insufficient_privilege using message = 'The uploader can no longer write to this project.';
  end if;
  return new;
end
$$;

-- What has no owner was sent with the secret key.
create trigger objects_check_uploader before insert on storage.objects
for each row when (new.bucket_id = 'genesis-files' and new.owner_id is not null)
execute function private.check_uploader();
