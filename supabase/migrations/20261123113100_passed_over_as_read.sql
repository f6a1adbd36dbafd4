-- An object that was replaced while its bytes were read, and not found, was passed over for an hour, though nobody had tried to
-- read what stands there now. So what is passed over is the version that was read, as what is adopted is.

drop function public.pass_over_object(text);
drop function private.pass_over_object(text);

create function private.pass_over_object(p_file_path text, p_version text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not private.is_worker() then
    perform private.refuse('forbidden', 'Only the service reads objects to adopt them.');
  end if;
  insert into private.unreadable_objects (object_id)
  select o.id from storage.objects as o
  where o.bucket_id = 'genesis-files' and o.name = p_file_path and coalesce(o.version, '') = p_version
  on conflict (object_id) do update set tried_at = excluded.tried_at;
  return jsonb_build_object('passed_over', found);
end
$$;

create function public.pass_over_object(file_path text, version text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return private.pass_over_object(pass_over_object.file_path, pass_over_object.version);
end
$$;
grant execute on function private.pass_over_object(text, text), public.pass_over_object(text, text)
to authenticated, service_role;
