-- An object that a finished row of file_storage stands for was measured and hashed, and stays what it was. Replacing and
-- moving were closed already; this closes the detour of deleting it and uploading something else under its name.
alter policy "editors can upload files to their projects" on storage.objects
with check (
  bucket_id = 'genesis-files'
  and (storage.foldername(name))[1] in (select p.id::text from private.project_ids('editor') as p (id))
  and not exists (
    select from public.file_storage as f where f.bucket_name = bucket_id and f.file_path = name and f.status = 'ready'
  )
);
