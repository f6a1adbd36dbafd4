-- Mends what faults left between rows and objects, a bounded batch at a time. Three kinds: an upload that was given up; a
-- row whose object is gone; an object without a row, which becomes a file, because nothing that arrived is thrown away
-- while its project is there. What only Storage can do (remove, read) is handed to the function.

create function private.reconcile_files(p_project_id uuid, p_older_than_seconds integer, p_limit integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_limit integer := coalesce(p_limit, 25);
  v_given_up jsonb;
  v_missing jsonb;
  v_loose jsonb;
begin
  if p_project_id is null and not private.is_worker() then
    perform private.refuse_field('project_id', 'is missing');
  end if;
  if p_project_id is not null then
    perform private.require_role(p_project_id, 'owner');
  end if;
  if v_limit not between 1 and 100 then
    perform private.refuse_field('limit', 'must be from 1 to 100');
  end if;
  if p_older_than_seconds not between 0 and 86400 then
    perform private.refuse_field('older_than_seconds', 'must be from 0 to 86400');
  end if;

  -- Time is set to nought first, so that none of them can be finished any more. Rows that someone is finishing are
  -- locked, and skipped.
  with stale as (
    select f.id from public.file_storage as f
    where f.status = 'pending'
      and (p_project_id is null or f.project_id = p_project_id)
      and f.created_at <= clock_timestamp() - make_interval(secs => least(f.upload_seconds, p_older_than_seconds))
    order by f.created_at
    limit v_limit
    for update skip locked
  ), given_up as (
    update public.file_storage as f set upload_seconds = 0 from stale where f.id = stale.id returning f.*
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', g.id, 'file_path', g.file_path, 'reason', 'upload_given_up',
    'has_object', exists (select from storage.objects as o where o.bucket_id = g.bucket_name and o.name = g.file_path)
  )), '[]') into v_given_up
  from given_up as g;
  delete from public.file_storage as f
  using jsonb_to_recordset(v_given_up) as g (id uuid, has_object boolean)
  where f.id = g.id and not g.has_object;

  with missing as (
    select f.id from public.file_storage as f
    where f.status = 'ready'
      and (p_project_id is null or f.project_id = p_project_id)
      and not exists (select from storage.objects as o where o.bucket_id = f.bucket_name and o.name = f.file_path)
    limit v_limit
    for update skip locked
  ), removed as (
    delete from public.file_storage as f using missing where f.id = missing.id returning f.file_path
  )
  select coalesce(jsonb_agg(jsonb_build_object('file_path', r.file_path, 'reason', 'object_missing')), '[]') into v_missing
  from removed as r;

  select coalesce(jsonb_agg(jsonb_build_object(
    'file_path', l.name, 'mime_type', l.mime_type, 'file_size', l.size, 'has_project', l.has_project
  )), '[]') into v_loose
  from (
    select o.name, o.metadata ->> 'mimetype' as mime_type, (o.metadata ->> 'size')::bigint as size,
      exists (select from public.projects as p where p.id::text = (storage.foldername(o.name))[1]) as has_project
    from storage.objects as o
    where o.bucket_id = 'genesis-files'
      -- Objects that stand in no project's folder were put there with the secret key: they are not ours to judge.
      and o.name ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/'
      and o.name !~ '(^|/)\.emptyFolderPlaceholder$'
      and (p_project_id is null or starts_with(o.name, p_project_id || '/'))
      and o.metadata is not null
      and o.created_at <= clock_timestamp() - make_interval(secs => coalesce(p_older_than_seconds, 900))
      and not exists (select from public.file_storage as f where f.bucket_name = o.bucket_id and f.file_path = o.name)
    order by o.created_at
    limit v_limit
  ) as l;

  return jsonb_build_object(
    'removed', v_missing || jsonb_path_query_array(v_given_up, '$[*] ? (@.has_object == false)'),
    'to_remove', jsonb_path_query_array(v_given_up, '$[*] ? (@.has_object == true)')
      || (select coalesce(jsonb_agg(l || '{"reason": "project_gone"}'), '[]')
          from jsonb_array_elements(v_loose) as l where not (l ->> 'has_project')::boolean),
    'to_adopt', jsonb_path_query_array(v_loose, '$[*] ? (@.has_project == true)'),
    'more', v_limit in (jsonb_array_length(v_given_up), jsonb_array_length(v_missing), jsonb_array_length(v_loose))
  );
end
$$;

-- Makes a file of an object that has no row, as the function that read it measured it. Its owner becomes its uploader.
create function private.adopt_file(p_file_path text, p_file_size bigint, p_sha256 text, p_mime_type text)
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
  select o.* into v_object from storage.objects as o where o.bucket_id = 'genesis-files' and o.name = p_file_path;
  if v_object.id is null or (v_object.metadata ->> 'size')::bigint is distinct from p_file_size then
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

create function public.reconcile_files(
  project_id uuid default null, older_than_seconds integer default null, "limit" integer default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.reconcile_files(reconcile_files.project_id, reconcile_files.older_than_seconds, reconcile_files."limit");
end
$$;

create function public.adopt_file(file_path text, file_size bigint, sha256 text, mime_type text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.adopt_file(adopt_file.file_path, adopt_file.file_size, adopt_file.sha256, adopt_file.mime_type);
end
$$;
grant execute on function
  private.reconcile_files(uuid, integer, integer), public.reconcile_files(uuid, integer, integer),
  private.adopt_file(text, bigint, text, text), public.adopt_file(text, bigint, text, text)
to authenticated, service_role;
