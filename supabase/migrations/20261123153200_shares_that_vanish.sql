-- Who opened a share in the moment in which it was revoked, or its file deleted, was told that it had expired or was used
-- up: the row that was waited for is asked again what became of it.
create or replace function private.open_share(p_token_sha256 text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
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
    if not exists (select from public.file_shares as s where s.id = v_share_id and s.revoked_at is null) then
      perform private.refuse('share_not_found', 'There is no such share any more.');
    end if;
    perform private.refuse('share_expired', 'The share has expired, or all its downloads are used up.');
  end if;
  select f.* into strict v_file
  from public.file_shares as s join public.file_storage as f on f.id = s.file_id where s.id = v_share_id;
  return jsonb_build_object(
    'share_id', v_share_id, 'bucket_name', v_file.bucket_name, 'file_path', v_file.file_path, 'file_name', v_file.file_name
  );
end
$$;
