-- An object may be replaced by one of the same size between its being read and its becoming a file. So what is adopted is
-- the version that was read.

drop function public.adopt_file(text, bigint, text, text);
drop function private.adopt_file(text, bigint, text, text);

create function private.adopt_file(p_file_path text, p_file_size bigint, p_sha256 text, p_mime_type text, p_version text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_object storage.objects;
  v_file public.file_storage;
begin
  if not private.is_worker() then
    perform private.refuse('forbidden', 'Only the service adopts objects.');
  end if;
  select o.* into v_object from storage.objects as o where o.bucket_id = 'genesis-files' and o.name = p_file_path
  -- Whoever is replacing it comes first, and is seen; whoever would after this, finds a file.
  for share;
  if v_object.id is null or coalesce(v_object.version, '') is distinct from p_version or (v_object.metadata ->> 'size')::bigint is distinct from p_file_size then
    return jsonb_build_object('file', null);
  end if;
  insert into public.file_storage (project_id, file_path, file_name, file_size, mime_type, sha256, status, uploaded_by)
  select p.id, p_file_path, coalesce(private.clean_file_name(p_file_path), 'file'), p_file_size, p_mime_type, p_sha256, 'ready', u.id
  from public.projects as p
  left join public.profiles as u on u.id::text = v_object.owner_id
  where p.id::text = (storage.foldername(p_file_path))[1]
  on conflict (bucket_name, file_path) do nothing
  returning * into v_file;
  return jsonb_build_object('file', case when v_file.id is not null then to_jsonb(v_file) - 'upload_seconds' end);
end
$$;

create function public.adopt_file(file_path text, file_size bigint, sha256 text, mime_type text, version text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.adopt_file(
    adopt_file.file_path, adopt_file.file_size, adopt_file.sha256, adopt_file.mime_type, adopt_file.version
  );
end
$$;
grant execute on function
  private.adopt_file(text, bigint, text, text, text), public.adopt_file(text, bigint, text, text, text)
to authenticated, service_role;
