-- A reconcile went through all projects for each object in the bucket, also for those that are files: 20,000 files in 5,000
-- projects took longer than a statement may, and nothing was ever mended there. Objects that have their row are left out
-- first, and of the others the project is looked up by its key.

create or replace function private.reconcile_files(p_project_id uuid, p_older_than_seconds integer, p_limit integer)
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

  delete from private.unreadable_objects as u where u.tried_at <= clock_timestamp() - interval '1 hour';

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

  with without_row as materialized (
    select o.id, o.name, o.version, o.metadata, o.created_at,
      substring(o.name from '^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/')::uuid as project_id
    from storage.objects as o
    where o.bucket_id = 'genesis-files'
      and (p_project_id is null or starts_with(o.name, p_project_id || '/'))
      and o.metadata is not null
      and o.created_at <= clock_timestamp() - make_interval(secs => coalesce(p_older_than_seconds, 900))
      and not exists (select from public.file_storage as f where f.bucket_name = o.bucket_id and f.file_path = o.name)
  ), loose as materialized (
    select w.*
    from without_row as w
    -- Objects that stand in no project's folder were put there with the secret key: they are not ours to judge.
    where w.project_id is not null
      and w.name !~ '(^|/)\.emptyFolderPlaceholder$'
      and not exists (select from private.unreadable_objects as u where u.object_id = w.id)
      -- What is archived or deleted gets no files; they are made once it is active again.
      and not exists (select from public.projects as p where p.id = w.project_id and p.status <> 'active')
    order by w.created_at
    limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'file_path', l.name, 'version', coalesce(l.version, ''), 'mime_type', l.metadata ->> 'mimetype',
    'file_size', (l.metadata ->> 'size')::bigint,
    'has_project', exists (select from public.projects as p where p.id = l.project_id)
  )), '[]') into v_loose
  from loose as l;

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
