-- Writing versions, in one place: who holds a path, what its latest version is, and how the next one comes to be.

-- Writers of a path take turns. The lock is on one of 256 groups of a project's paths and not on the path, so that an
-- operation on ten thousand paths cannot use up the server's table of locks. Whoever needs several takes them here, at
-- once and in one order.
create function private.artifact_key(p_project_id uuid, p_name text)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return hashtextextended(format('artifacts:%s:%s', p_project_id, hashtext(p_name) & 255), 0);
end
$$;

create function private.lock_artifact_keys(p_keys bigint[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(k.key)
  from (select distinct u.key from unnest(p_keys) as u (key) where u.key is not null order by u.key) as k;
end
$$;

create function private.lock_artifact_paths(p_project_id uuid, p_paths text[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.lock_artifact_keys(
    array(select private.artifact_key(p_project_id, p.path) from unnest(p_paths) as p (path) where p.path is not null)
  );
end
$$;

-- The last version of a path, a deletion too; null where there never was one.
create function private.latest_artifact(p_project_id uuid, p_path text)
returns public.code_artifacts
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_latest public.code_artifacts;
begin
  select a.* into v_latest
  from public.code_artifacts as a
  where a.project_id = p_project_id and a.file_path = p_path
  order by a.version desc
  limit 1;
  return v_latest;
end
$$;

-- What a version looks like from outside, with its text where the caller has it at hand.
create function private.artifact_json(p_artifact public.code_artifacts, p_content text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_jsonb(p_artifact) || jsonb_build_object('content', p_content);
end
$$;

-- Refuses when the caller changed another version than the latest. 0 says that there must be no file, and after a
-- deletion there is none.
create function private.require_base_version(p_latest public.code_artifacts, p_path text, p_base_version integer)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_latest integer := coalesce(p_latest.version, 0);
begin
  if p_base_version is null or p_base_version = v_latest or (p_base_version = 0 and p_latest.is_deleted) then
    return;
  end if;
  perform private.refuse(
    'artifact_conflict',
    case
      when p_base_version < v_latest
        then format('The file is at version %s; your change was based on version %s.', v_latest, p_base_version)
      else format('There is no version %s of this file: its head is %s.', p_base_version, v_latest)
    end,
    jsonb_build_object('file_path', p_path, 'head_version', v_latest, 'base_version', p_base_version)
  );
end
$$;

-- Adds a version after the latest. The caller holds the path; `p_version` says what the version has, except its number.
-- Its time is when the path was held and not when the transaction began, so that times rise with the numbers; in whole
-- milliseconds, so that a program whose dates know no finer ones asks for this very moment again.
create function private.add_artifact_version(p_latest public.code_artifacts, p_version public.code_artifacts)
returns public.code_artifacts
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_saved public.code_artifacts;
begin
  if p_latest.is_active then
    update public.code_artifacts as a set is_active = false where a.id = p_latest.id;
  end if;
  insert into public.code_artifacts (
    project_id, task_id, name, file_path, language, type, version, is_active, is_deleted, restored_from, metadata,
    content_sha256, content_bytes, created_by, created_at
  )
  values (
    p_version.project_id, p_version.task_id, p_version.name, p_version.file_path, p_version.language, p_version.type,
    coalesce(p_latest.version, 0) + 1, p_version.content_sha256 is not null, p_version.content_sha256 is null,
    p_version.restored_from, p_version.metadata, p_version.content_sha256, p_version.content_bytes, auth.uid(),
    greatest(date_trunc('milliseconds', clock_timestamp()), p_latest.created_at)
  )
  returning * into v_saved;
  return v_saved;
end
$$;
