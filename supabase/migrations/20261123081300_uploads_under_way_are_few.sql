-- The policy on the bucket reads all uploads under way that its reader must not see: two hundred thousand of one person's
-- made every look into Storage of their fellow members, in all of their projects, twenty times as slow. One person has a
-- thousand under way, those that were given up and wait for a reconcile among them. Nothing is locked for it: some more may
-- begin at once.

insert into private.error_codes (code, http_status) values ('too_many_uploads', 429);

create index file_storage_under_way on public.file_storage (uploaded_by) where status = 'pending';

create function private.limit_uploads()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  c_per_person constant integer := 1000;
begin
  if c_per_person <= (
    select count(*) from public.file_storage as f
    where f.uploaded_by = new.uploaded_by and f.status = 'pending'
  ) then
    perform private.refuse(
      'too_many_uploads', format('One person has at most %s uploads under way: finish some, or delete them.', c_per_person)
    );
  end if;
  return new;
end
$$;
revoke execute on function private.limit_uploads() from public, anon, authenticated, service_role;

create trigger file_storage_limit_uploads before insert on public.file_storage
for each row when (new.status = 'pending' and new.uploaded_by is not null) execute function private.limit_uploads();
