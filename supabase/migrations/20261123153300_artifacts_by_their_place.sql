-- A report that brings a hundred files and is refused for one of them says which: wrong fields are named by their place
-- in the request (`artifacts.3.file_path`), as the contract names those it finds itself, and a file that is too large or
-- was to be deleted and is not there by its path. They were named as if there were one file alone, or not at all.

create or replace function private.save_task_artifacts(p_task public.agent_tasks, p_artifacts jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_item jsonb;
  v_place bigint;
  v_message text;
  v_code text;
  v_details text;
begin
  if jsonb_typeof(coalesce(p_artifacts, '[]')) <> 'array' then
    perform private.refuse_field('artifacts', 'must be a list');
  end if;
  if jsonb_array_length(p_artifacts) > 100 then
    perform private.refuse_field('artifacts', 'may have at most 100 entries');
  end if;
  if not private.brings_artifacts(p_artifacts) then
    return;
  end if;
  perform private.require_role(p_task.project_id, 'editor');

  begin
    for v_item, v_place in
      select a.value, a.place - 1 from jsonb_array_elements(p_artifacts) with ordinality as a (value, place)
    loop
      if jsonb_typeof(v_item -> 'base_version') not in ('number', 'null')
        or not pg_input_is_valid(coalesce(v_item ->> 'base_version', '0'), 'integer')
      then
        perform private.refuse_field('base_version', 'must be a whole number');
      end if;
      if v_item -> 'deleted' is not distinct from 'true' then
        perform private.delete_artifact(
          p_task.project_id, v_item ->> 'file_path', p_task.id, (v_item ->> 'base_version')::integer
        );
      else
        perform private.save_artifact(
          p_task.project_id, v_item ->> 'file_path', v_item ->> 'content', v_item ->> 'name', v_item ->> 'language',
          v_item ->> 'type', p_task.id, v_item -> 'metadata', (v_item ->> 'base_version')::integer
        );
      end if;
    end loop;
  exception
    when sqlstate 'PT404' or sqlstate 'PT413' or sqlstate 'PT422' then
      get stacked diagnostics v_message = message_text, v_code = pg_exception_hint, v_details = pg_exception_detail;
      if v_code = 'validation_failed' then
        perform private.refuse_field(
          format('artifacts.%s.%s', v_place, v_details::jsonb #>> '{fields,0,path}'),
          v_details::jsonb #>> '{fields,0,message}'
        );
      end if;
      if v_code = 'artifact_not_found' then
        perform private.refuse('artifact_not_found', v_message, jsonb_build_object('file_path', v_item ->> 'file_path'));
      end if;
      if v_code = 'payload_too_large' then
        perform private.refuse('payload_too_large', v_message, jsonb_build_object('file_path', v_item ->> 'file_path'));
      end if;
      raise;
  end;
end
$$;
