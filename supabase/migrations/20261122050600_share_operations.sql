-- Making, opening and revoking shares. Who opens one has no account: the function calls with the secret key, and the
-- token decides. A share speaks for who made it, so it opens nothing once they are out of the project.

create function private.share_file(p_file_id uuid, p_expires_in_seconds integer, p_max_downloads integer, p_token_sha256 text)
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
  select f.* into v_file from public.file_storage as f where f.id = p_file_id and f.status = 'ready' for share;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file, or you are not a member of its project.');
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

-- Counts one download and says of what. The count and the limit meet in one UPDATE, so that of many visitors at once no
-- more get through than may.
create function private.open_share(p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_file public.file_storage;
  v_share_id uuid;
begin
  if not private.is_worker() then
    perform private.refuse('forbidden', 'A share is opened by its link.');
  end if;
  if coalesce(p_token_sha256, '') ~ '^[0-9a-f]{64}$' then
    select s.id into v_share_id
    from private.file_share_tokens as t
    join public.file_shares as s on s.id = t.share_id
    join public.projects as p on p.id = s.project_id
    where t.token_hash = decode(p_token_sha256, 'hex')
      and s.revoked_at is null
      and p.status <> 'deleted'
      and (
        s.created_by is null
        or p.owner_id = s.created_by
        or exists (
          select from public.project_collaborators as c where c.project_id = p.id and c.user_id = s.created_by
        )
      );
  end if;
  if v_share_id is null then
    perform private.refuse('share_not_found', 'There is no such share.');
  end if;
  update public.file_shares as s
  set downloads = s.downloads + 1, last_download_at = now()
  where s.id = v_share_id and s.revoked_at is null and s.expires_at > clock_timestamp()
    and (s.max_downloads is null or s.downloads < s.max_downloads);
  if not found then
    perform private.refuse('share_expired', 'The share has expired, or all its downloads are used up.');
  end if;
  select f.* into strict v_file
  from public.file_shares as s join public.file_storage as f on f.id = s.file_id where s.id = v_share_id;
  return jsonb_build_object(
    'share_id', v_share_id, 'bucket_name', v_file.bucket_name, 'file_path', v_file.file_path, 'file_name', v_file.file_name
  );
end
$$;

-- Takes back the count of a download that could not begin, because Storage made no link.
create function private.return_download(p_share_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not private.is_worker() then
    perform private.refuse('forbidden', 'Only the service counts downloads.');
  end if;
  update public.file_shares as s set downloads = s.downloads - 1 where s.id = p_share_id and s.downloads > 0;
  return jsonb_build_object('returned', found);
end
$$;

-- Also in a project that is archived: what was let out can always be taken back. Idempotent.
create function private.revoke_share(p_share_id uuid)
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
  return jsonb_build_object('revoked', true);
end
$$;

create function public.share_file(
  file_id uuid, expires_in_seconds integer, token_sha256 text, max_downloads integer default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.share_file(
    share_file.file_id, share_file.expires_in_seconds, share_file.max_downloads, share_file.token_sha256
  );
end
$$;

create function public.open_share(token_sha256 text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.open_share(open_share.token_sha256);
end
$$;

create function public.return_download(share_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.return_download(return_download.share_id);
end
$$;

create function public.revoke_share(share_id uuid)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.revoke_share(revoke_share.share_id);
end
$$;
grant execute on function
  private.share_file(uuid, integer, integer, text), public.share_file(uuid, integer, text, integer),
  private.open_share(text), public.open_share(text),
  private.return_download(uuid), public.return_download(uuid),
  private.revoke_share(uuid), public.revoke_share(uuid)
to authenticated, service_role;
