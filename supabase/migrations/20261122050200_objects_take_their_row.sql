-- A file's row goes in the transaction that removes its object, whoever removes it: the operation, a client of Storage,
-- the dashboard. So no fault can leave the one without the other.

create function private.forget_file()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  delete from public.file_storage as f
  where f.bucket_name = old.bucket_id and f.file_path = old.name
    -- Where Storage keeps versions, only the last of them stands for the file.
    and not exists (select from storage.objects as o where o.bucket_id = old.bucket_id and o.name = old.name);
  return null;
end
$$;

create trigger objects_forget_file after delete on storage.objects
for each row when (old.bucket_id = 'genesis-files') execute function private.forget_file();
