-- Whoever deleted a file in a project that was being deleted was told `internal`, as there was no moment for the
-- version any more. It is project_not_found.

create or replace function private.artifact_moment(p_project_id uuid)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_at timestamptz;
begin
  -- A restored database counts its transactions anew, so the number alone would not do.
  select m.at into v_at
  from private.artifact_moments as m
  where m.project_id = p_project_id and m.transaction_id = pg_current_xact_id_if_assigned()
    and m.at >= date_trunc('milliseconds', now());
  if v_at is null then
    insert into private.artifact_moments as m (project_id, transaction_id, at)
    select
      p.id, pg_current_xact_id(),
      greatest(
        date_trunc('milliseconds', clock_timestamp()), date_trunc('milliseconds', p.created_at) + interval '1 millisecond'
      )
    from public.projects as p
    where p.id = p_project_id
    -- Before the moment's row: whoever deletes the project takes them in this order.
    for key share of p
    on conflict (project_id) do update
    set transaction_id = excluded.transaction_id, at = greatest(excluded.at, m.at + interval '1 millisecond')
    returning m.at into v_at;
    if v_at is null then
      perform private.refuse('project_not_found', 'There is no such project any more.');
    end if;
  end if;
  return v_at;
end
$$;
