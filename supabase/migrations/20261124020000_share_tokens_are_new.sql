-- Who shares a file by rpc brings the hash of a token of their own: one that another share has was refused by the index
-- alone, in its words. It is a wrong field, as it is with invitations.

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
  -- Only now, and once more: nobody else may hold it, or wait for who does.
  perform private.require_role(v_file.project_id, 'editor');
  select f.* into v_file from public.file_storage as f where f.id = p_file_id and f.status = 'ready' for share;
  if v_file.id is null or private.role_in_project(v_file.project_id) is null then
    perform private.refuse('file_not_found', 'There is no such file any more, or you are no longer a member of its project.');
  end if;
  perform 1 from public.project_collaborators as c
  where c.project_id = v_file.project_id and c.user_id = auth.uid()
  for no key update;
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
  insert into private.file_share_tokens (share_id, token_hash) values (v_share.id, decode(p_token_sha256, 'hex'))
  on conflict (token_hash) do nothing;
  if not found then
    perform private.refuse_field('token_sha256', 'must not have been used before');
  end if;
  return jsonb_build_object('share_id', v_share.id, 'expires_at', v_share.expires_at, 'max_downloads', v_share.max_downloads);
end
$$;
