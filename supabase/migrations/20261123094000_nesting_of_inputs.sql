-- A claim answers the inputs of its tasks inside of other JSON, and had to fail where one of them nests as deep as can be read
-- at all: one start with sixteen thousand brackets kept every worker from every project's tasks. In the same way an output
-- kept its execution from being cancelled or ended. Neither may come near that depth. The errors are PostgreSQL's own for
-- JSON that nests too deeply, which every door and batch already knows.

create function private.refuse_nested_json()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if jsonb_path_exists(case tg_argv[0] when 'input_data' then new.input_data else new.output_data end, '$.**{5000}') then
    raise exception using
      errcode = 'statement_too_complex', message = format('The %s of task %s nests more than 5000 deep.', tg_argv[0], new.node_id);
  end if;
  return null;
end
$$;
revoke execute on function private.refuse_nested_json() from public, anon, authenticated, service_role;

-- Each level takes at least eight bytes: what is smaller is not looked at.
create trigger agent_tasks_refuse_nested_input after insert or update of input_data on public.agent_tasks
for each row when (pg_column_size(new.input_data) > 40000)
execute function private.refuse_nested_json('input_data');

create trigger agent_tasks_refuse_nested_output after insert or update of output_data on public.agent_tasks
for each row when (pg_column_size(new.output_data) > 40000)
execute function private.refuse_nested_json('output_data');
