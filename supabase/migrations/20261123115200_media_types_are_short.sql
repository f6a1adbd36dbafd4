-- A media type that is registered beforehand is bounded as one that is signed: by rpc a member could keep megabytes in it.

create or replace function private.reserve_file(
  p_project_id uuid, p_file_name text, p_path text, p_mime_type text, p_file_size bigint, p_seconds integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
  v_name text := private.clean_file_name(p_file_name);
  v_path text := normalize(p_path, nfc);
  v_file public.file_storage;
begin
  perform private.require_role(p_project_id, 'editor');
  if v_name is null then
    perform private.refuse_field('file_name', 'must have 1 to 255 characters that can be seen');
  end if;
  if v_path is not null and not private.is_artifact_path(v_path) then
    perform private.refuse_field('path', private.artifact_path_rule());
  end if;
  if char_length(p_mime_type) > 255 then
    perform private.refuse_field('mime_type', 'must have at most 255 characters');
  end if;
  insert into public.file_storage (id, project_id, file_path, file_name, mime_type, file_size, upload_seconds, uploaded_by, metadata)
  values (
    v_id, p_project_id, p_project_id || '/' || v_id, v_name, p_mime_type, p_file_size, p_seconds, auth.uid(),
    case when v_path is null then '{}' else jsonb_build_object('path', v_path) end
  )
  returning * into v_file;
  return jsonb_build_object('file', to_jsonb(v_file) - 'upload_seconds');
end
$$;
