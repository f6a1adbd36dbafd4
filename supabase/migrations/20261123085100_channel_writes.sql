-- Which task wrote which of the channels that its version names, in the order of the fold: the last word on a channel is one
-- look into an index, however many tasks there were. Whatever completes a task, its row is where it is noticed.

create table private.channel_writes (
  workflow_execution_id uuid not null references public.workflow_executions (id) on delete cascade,
  channel text not null,
  fold_order integer[] not null,
  iteration integer not null,
  task_id uuid not null,
  primary key (workflow_execution_id, channel, fold_order, iteration)
);

create function private.note_channel_writes()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if (select g.names_channels from private.workflow_graphs as g where g.version_id = new.version_id) then
    insert into private.channel_writes (workflow_execution_id, channel, fold_order, iteration, task_id)
    select new.workflow_execution_id, k.channel, coalesce(new.fold_order, array[new.node_index]), new.iteration, new.id
    from jsonb_object_keys(
      case when jsonb_typeof(new.output_data) = 'object' then new.output_data else jsonb_build_object(new.node_id, null) end
    ) as k (channel)
    where exists (
      select from private.named_channels as c where c.version_id = new.version_id and c.channel = k.channel
    )
    on conflict (workflow_execution_id, channel, fold_order, iteration) do nothing;
  end if;
  return null;
end
$$;
revoke execute on function private.note_channel_writes() from public, anon, authenticated, service_role;

-- Elements of a map write nothing: their outputs are the map's.
create trigger agent_tasks_note_writes after update of status on public.agent_tasks
for each row when (
  new.status = 'completed' and old.status <> 'completed' and new.map_index is null and new.output_data is not null
)
execute function private.note_channel_writes();

-- A fork begins with tasks that are completed.
create trigger agent_tasks_note_copied_writes after insert on public.agent_tasks
for each row when (new.status = 'completed' and new.map_index is null and new.output_data is not null)
execute function private.note_channel_writes();
