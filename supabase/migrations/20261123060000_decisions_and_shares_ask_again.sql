-- Who was removed while their decision, restoration, revert or share waited for a lock that somebody else held still made it.
-- As for the other operations of people, the right is asked for again once the lock is held.

create or replace function private.restore_artifact(p_artifact_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_old public.code_artifacts;
  v_latest public.code_artifacts;
begin
  select a.* into v_old from public.code_artifacts as a where a.id = p_artifact_id;
  if v_old.id is null or private.role_in_project(v_old.project_id) is null then
    perform private.refuse('artifact_not_found', 'There is no such artifact, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_old.project_id, 'editor');
  if v_old.is_deleted then
    perform private.refuse_field('artifact_id', 'is a deletion, which has nothing to restore');
  end if;
  if octet_length(v_old.metadata::text) > 16384 then
    perform private.refuse_field('artifact_id', 'is a version with over 16 KiB of metadata, which none may have any more');
  end if;

  perform private.lock_artifacts(array[v_old.project_id]);
  perform private.require_role(v_old.project_id, 'editor');
  v_latest := private.latest_artifact(v_old.project_id, v_old.file_path);
  if v_latest.is_active and v_latest.content_sha256 = v_old.content_sha256 and v_latest.metadata = v_old.metadata
    and (v_latest.name, v_latest.type, v_latest.language) is not distinct from (v_old.name, v_old.type, v_old.language)
  then
    return jsonb_build_object(
      'artifact', private.artifact_json(v_latest, private.artifact_content(v_latest.id)), 'unchanged', true
    );
  end if;
  v_old.task_id := null;
  v_old.restored_from := v_old.version;
  v_old := private.add_artifact_version(v_latest, v_old);
  return jsonb_build_object(
    'artifact', private.artifact_json(v_old, private.artifact_content(v_old.id)), 'unchanged', false
  );
end
$$;

create or replace function private.revert_execution(p_execution_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_execution public.workflow_executions;
  v_executions uuid[];
  v_latest uuid[];
  v_before uuid[];
  v_kept jsonb;
  v_reverted jsonb;
  v_at timestamptz;
begin
  select x.* into v_execution from public.workflow_executions as x where x.id = p_execution_id;
  if v_execution.id is null or private.role_in_project(v_execution.project_id) is null then
    perform private.refuse('execution_not_found', 'There is no such execution, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_execution.project_id, 'editor');
  if v_execution.completed_at is null then
    perform private.refuse('execution_still_running', 'The execution is still at work: cancel it, or wait for its end.');
  end if;

  perform private.lock_artifacts(array[v_execution.project_id]);
  perform private.require_role(v_execution.project_id, 'editor');
  v_executions := array(select i.id from private.executions_inside(p_execution_id) as i (id));

  -- All paths in one go from here on, so that ten thousand of them take as many statements as one.
  with mine as (
    select a.id, a.file_path, a.version
    from public.agent_tasks as t
    join public.code_artifacts as a on a.task_id = t.id
    where t.workflow_execution_id = any (v_executions) and a.project_id = v_execution.project_id
  ), paths as (
    select m.file_path, min(m.version) as first_version, count(*) as versions from mine as m group by m.file_path
  ), decided as (
    select p.file_path, l.id as latest_id, l.version, l.created_by, b.id as before_id,
      case
        when l.content_sha256 is not distinct from b.content_sha256 then 'already_as_before'
        -- Numbers have no gaps: from its first version to the latest all are the execution's, or there is another's.
        when l.version - p.first_version + 1 > p.versions then 'changed_since'
      end as reason
    from paths as p
    cross join lateral (
      select a.*
      from public.code_artifacts as a
      where a.project_id = v_execution.project_id and a.file_path = p.file_path
      order by a.version desc
      limit 1
    ) as l
    left join public.code_artifacts as b
    on b.project_id = v_execution.project_id and b.file_path = p.file_path and b.version = p.first_version - 1
      and not b.is_deleted
  )
  select
    jsonb_agg(
      jsonb_build_object('file_path', d.file_path, 'reason', d.reason, 'version', d.version, 'created_by', d.created_by)
      order by d.file_path
    ) filter (where d.reason is not null),
    array_agg(d.latest_id) filter (where d.reason is null),
    array_agg(d.before_id) filter (where d.reason is null)
  into v_kept, v_latest, v_before
  from decided as d;

  if v_latest is not null then
    v_at := private.artifact_moment(v_execution.project_id);
  end if;
  update public.code_artifacts as a set is_active = false where a.id = any (v_latest) and a.is_active;
  with added as (
    insert into public.code_artifacts (
      project_id, name, file_path, language, type, version, is_active, is_deleted, restored_from, metadata,
      content_sha256, content_bytes, created_by, created_at
    )
    select
      l.project_id, coalesce(b.name, l.name), l.file_path, case when b.id is null then l.language else b.language end,
      coalesce(b.type, l.type), l.version + 1, b.id is not null, b.id is null, b.version, coalesce(b.metadata, '{}'),
      b.content_sha256, b.content_bytes, auth.uid(), v_at
    from unnest(v_latest, v_before) as r (latest_id, before_id)
    join public.code_artifacts as l on l.id = r.latest_id
    left join public.code_artifacts as b on b.id = r.before_id
    returning *
  )
  select jsonb_agg(to_jsonb(a) order by a.file_path) into v_reverted from added as a;
  return jsonb_build_object('reverted', coalesce(v_reverted, '[]'), 'kept', coalesce(v_kept, '[]'));
end
$$;

create or replace function private.share_file(p_file_id uuid, p_expires_in_seconds integer, p_max_downloads integer, p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
  v_share public.file_shares;
begin
  select f.* into v_file from public.file_storage as f where f.id = p_file_id and f.status = 'ready';
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
  end if;
  perform private.ask_role(v_file.project_id, 'editor');
  -- Only now, and once more: nobody else may hold it, or wait for who does.
  select f.* into v_file from public.file_storage as f where f.id = p_file_id and f.status = 'ready' for share;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file any more, or you are no longer a member of its project.');
  end if;
  perform private.require_role(v_file.project_id, 'editor');
  if coalesce(p_expires_in_seconds, 0) not between 60 and 2592000 then
    perform private.refuse_field('expires_in_seconds', 'must be from 60 to 2592000');
  end if;
  if p_max_downloads < 1 then
    perform private.refuse_field('max_downloads', 'must be at least 1');
  end if;
  if coalesce(p_token_sha256, '') !~ '^[0-9a-f]{64}$' then
    perform private.refuse_field('token_sha256', 'must be 64 hexadecimal digits');
  end if;
  insert into public.file_shares (file_id, project_id, created_by, expires_at, max_downloads)
  values (p_file_id, v_file.project_id, auth.uid(), now() + make_interval(secs => p_expires_in_seconds), p_max_downloads)
  returning * into v_share;
  insert into private.file_share_tokens (share_id, token_hash) values (v_share.id, decode(p_token_sha256, 'hex'));
  return jsonb_build_object('share_id', v_share.id, 'expires_at', v_share.expires_at, 'max_downloads', v_share.max_downloads);
end
$$;

create or replace function private.decide_task(p_task_id uuid, p_decision text, p_comment text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_person uuid := private.require_person();
  v_project_id uuid;
  v_options jsonb;
  v_progress private.execution_progress;
  v_answer jsonb;
begin
  if p_decision is null or p_decision not in ('approved', 'rejected') then
    perform private.refuse_field('decision', 'must be approved or rejected');
  end if;
  if char_length(p_comment) > 10000 then
    perform private.refuse_field('comment', 'may have at most 10000 characters');
  end if;
  select t.project_id into v_project_id from public.agent_tasks as t where t.id = p_task_id;
  perform private.require_task_access(v_project_id);
  select n.options into v_options
  from public.agent_tasks as t
  join private.workflow_nodes as n on n.version_id = t.version_id and n.node_index = t.node_index
  where t.id = p_task_id and t.node_type = 'approval';
  if v_options is null then
    perform private.refuse('task_not_waiting', 'This task is no approval.');
  end if;
  perform private.ask_role(v_project_id, coalesce(v_options ->> 'role', 'editor'));
  select p.* into v_progress
  from public.agent_tasks as t
  join private.execution_progress as p on p.workflow_execution_id = t.workflow_execution_id
  where t.id = p_task_id;
  begin
    v_answer := private.apply_decision(v_progress, p_task_id, v_person, p_decision, p_comment, v_options, v_progress.mode = 'serial');
  exception
    when sqlstate 'GE001' then
      v_answer := private.apply_decision(v_progress, p_task_id, v_person, p_decision, p_comment, v_options, true);
  end;
  perform private.require_task_access(v_project_id);
  perform private.require_role(v_project_id, coalesce(v_options ->> 'role', 'editor'));
  return v_answer;
end
$$;

create or replace function private.revoke_share(p_share_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_share public.file_shares;
  v_role text;
begin
  select s.* into v_share from public.file_shares as s where s.id = p_share_id;
  v_role := private.role_in_project(v_share.project_id);
  if v_role is null then
    perform private.refuse('share_not_found', 'There is no such share, or you are not a member of its project.');
  end if;
  if v_role <> 'owner' and v_share.created_by is distinct from auth.uid() then
    perform private.refuse('forbidden', 'Only who made a share, or an owner of the project, can revoke it.');
  end if;
  update public.file_shares as s set revoked_at = coalesce(s.revoked_at, now()) where s.id = p_share_id;
  v_role := private.role_in_project(v_share.project_id);
  if v_role is null then
    perform private.refuse('share_not_found', 'There is no such share any more, or you are no longer a member of its project.');
  end if;
  if v_role <> 'owner' and v_share.created_by is distinct from auth.uid() then
    perform private.refuse('forbidden', 'Only who made a share, or an owner of the project, can revoke it.');
  end if;
  return jsonb_build_object('revoked', true);
end
$$;
