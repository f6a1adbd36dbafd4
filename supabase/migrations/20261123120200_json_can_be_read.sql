-- JSON that nests some thousand levels deep can be stored and hardly be read: a viewer's message in a shared chat, or a project's
-- settings, made whole lists unreadable for everybody through readers that walk what they read (the local Data API answered 500
-- to all who asked for that list). And measuring JSON by its text, as the rules of size do, took a gigabyte where sixty kilobytes
-- of numbers stood for it. Whatever people write themselves nests a hundred levels at most, as in the functions, and holds no
-- number that JavaScript could not write; rows from before stay as they are until that column is written.

create function private.check_json()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_column text;
  v_value jsonb;
begin
  foreach v_column in array tg_argv loop
    execute format('select ($1).%I', v_column) into v_value using new;
    if jsonb_path_exists(v_value, 'strict $.**{101}') then
      raise check_violation using
        message = format('The %s may not nest more than 100 levels deep.', v_column),
        constraint = format('%s_%s_is_shallow', tg_table_name, v_column), table = tg_table_name;
    elsif private.has_long_numbers(v_value) then
      raise check_violation using
        message = format('The %s may not hold a number of more than 400 digits.', v_column),
        constraint = format('%s_%s_has_plain_numbers', tg_table_name, v_column), table = tg_table_name;
    end if;
  end loop;
  return new;
end
$$;
revoke execute on function private.check_json() from public, anon, authenticated, service_role;

-- What is smaller can be neither deep nor long. Before the rules of size, which write it out.
create trigger profiles_check_json before insert or update of preferences on public.profiles
for each row when (pg_column_size(new.preferences) > 100)
execute function private.check_json('preferences');

create trigger projects_check_json before insert or update of settings on public.projects
for each row when (pg_column_size(new.settings) > 100)
execute function private.check_json('settings');

create trigger project_collaborators_check_json before insert or update of permissions on public.project_collaborators
for each row when (pg_column_size(new.permissions) > 100)
execute function private.check_json('permissions');

create trigger agents_check_json before insert or update of configuration, tools on public.agents
for each row when (pg_column_size(new.configuration) > 100 or pg_column_size(new.tools) > 100)
execute function private.check_json('configuration', 'tools');

create trigger workflows_check_json before insert or update of definition on public.workflows
for each row when (pg_column_size(new.definition) > 100)
execute function private.check_json('definition');

create trigger chat_sessions_check_json before insert or update of context on public.chat_sessions
for each row when (pg_column_size(new.context) > 100)
execute function private.check_json('context');

create trigger chat_messages_check_json before insert or update of artifacts, metadata on public.chat_messages
for each row when (pg_column_size(new.artifacts) > 100 or pg_column_size(new.metadata) > 100)
execute function private.check_json('artifacts', 'metadata');

-- The same for artifacts, which their door writes. A save on a base that is sent again, because its answer was lost, is
-- answered with the head that it made, as one without a base is: it was a conflict with itself.
create or replace function private.save_artifact(
  p_project_id uuid, p_file_path text, p_content text, p_name text, p_language text, p_type text, p_task_id uuid,
  p_metadata jsonb, p_base_version integer
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_path text := normalize(p_file_path, nfc);
  v_latest public.code_artifacts;
  v_new public.code_artifacts;
begin
  if v_path is null or not private.is_artifact_path(v_path) then
    perform private.refuse_field('file_path', private.artifact_path_rule());
  end if;
  if p_content is null then
    perform private.refuse_field('content', 'is missing');
  end if;
  if octet_length(p_content) > 1048576 then
    perform private.refuse('payload_too_large', 'An artifact has at most 1 MiB of text.');
  end if;
  if coalesce(p_type, 'file') not in ('file', 'component', 'snippet') then
    perform private.refuse_field('type', 'must be file, component or snippet');
  end if;
  if char_length(btrim(p_name)) not between 1 and 255 then
    perform private.refuse_field('name', 'must have 1 to 255 characters');
  end if;
  if char_length(p_language) > 100 then
    perform private.refuse_field('language', 'must have at most 100 characters');
  end if;
  if jsonb_typeof(coalesce(p_metadata, '{}')) <> 'object' then
    perform private.refuse_field('metadata', 'must be an object');
  end if;
  if private.has_long_numbers(p_metadata) then
    perform private.refuse_field('metadata', private.long_number_rule());
  end if;
  if jsonb_path_exists(p_metadata, 'strict $.**{101}') then
    perform private.refuse_field('metadata', 'must not nest more than 100 levels deep');
  end if;
  if octet_length(p_metadata::text) > 16384 then
    perform private.refuse_field('metadata', 'must have at most 16 KiB as JSON');
  end if;
  perform private.require_task_of_project(p_task_id, p_project_id);

  perform private.lock_artifacts(array[p_project_id]);
  v_latest := private.latest_artifact(p_project_id, v_path);

  v_new.project_id := p_project_id;
  v_new.task_id := p_task_id;
  v_new.name := coalesce(p_name, v_latest.name, left(regexp_replace(v_path, '^.*/', ''), 255));
  if btrim(v_new.name) = '' then
    perform private.refuse_field('file_path', 'has nothing but spaces to name the file by: send a name along');
  end if;
  v_new.file_path := v_path;
  v_new.language := coalesce(p_language, v_latest.language);
  v_new.type := coalesce(p_type, v_latest.type, 'file');
  v_new.metadata := coalesce(p_metadata, '{}');
  v_new.content_sha256 := private.sha256_hex(p_content);
  v_new.content_bytes := octet_length(p_content);

  if v_latest.is_active and v_latest.content_sha256 = v_new.content_sha256
    and (v_latest.name, v_latest.type, v_latest.language) is not distinct from (v_new.name, v_new.type, v_new.language)
    and v_latest.metadata = coalesce(p_metadata, v_latest.metadata)
    and coalesce(p_base_version, 0) <= v_latest.version
  then
    return jsonb_build_object(
      'artifact', private.artifact_json(v_latest, p_content), 'merged', false, 'unchanged', true
    );
  end if;
  perform private.require_base_version(v_latest, v_path, p_base_version);

  insert into private.artifact_contents (project_id, sha256, content)
  values (p_project_id, v_new.content_sha256, p_content)
  on conflict do nothing;
  v_new := private.add_artifact_version(v_latest, v_new);
  return jsonb_build_object('artifact', private.artifact_json(v_new, p_content), 'merged', false, 'unchanged', false);
end
$$;
