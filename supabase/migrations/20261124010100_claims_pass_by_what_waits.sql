-- A claim passes by what is not due yet, or is of another agent type, at the cost of the projects where it is. It read all of
-- their pending tasks: of 900,000 delayed ones, which one person can heap up, each claim of that agent type took 50 to 125 ms,
-- whosever worker it was. Nor does what is heaped up of other agent types matter any more to the turn.
--
-- The collation of the status is there for the planner: it takes this index where that is written out and no other one then,
-- whatever it knows of the table. For taking the tasks of a project, which go by priority, it would look as good as the one that
-- has that order, and all that are due would be sorted for each claim.
create index agent_tasks_due on public.agent_tasks (agent_type, project_id, available_at) where (status collate "C") = 'pending';

-- The next project up to the last one that has something due of that type.
create function private.next_due_project(p_agent_type text, p_after uuid, p_last uuid)
returns uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_fewest constant integer := 8;
  c_most constant integer := 1024;
  v_place uuid := p_after;
  v_looked_at integer := c_fewest;
  v_next record;
begin
  loop
    -- A project's tasks follow each other as they come due: behind one that is not, there is none.
    select
      (array_agg(w.project_id) filter (where w.is_due))[1] as due, (array_agg(w.project_id))[v_looked_at] as project_id,
      count(distinct w.project_id) as projects
    into v_next
    from (
      select t.project_id, t.available_at <= now() as is_due
      from public.agent_tasks as t
      where t.status collate "C" = 'pending' and t.agent_type = p_agent_type and t.project_id > v_place and t.project_id <= p_last
      order by t.agent_type, t.project_id, t.available_at
      limit v_looked_at
    ) as w;
    if v_next.due is not null or v_next.project_id is null then
      return v_next.due;
    end if;
    v_place := v_next.project_id;
    -- Where projects have few tasks each, many are read at once; where they have many, the next one is looked for. So what this
    -- costs goes by the projects.
    v_looked_at := least(greatest(2 * v_next.projects, c_fewest), c_most);
  end loop;
end
$$;
revoke execute on function private.next_due_project(text, uuid, uuid) from public, anon, authenticated, service_role;

create or replace function private.next_turn(p_agent_types text[], p_projects uuid[], p_after uuid, p_has_wrapped boolean)
returns private.project_turn
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_before_all constant uuid := '00000000-0000-0000-0000-000000000000';
  c_after_all constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_has_wrapped boolean := p_has_wrapped;
  v_place uuid := p_after;
  v_last uuid := c_after_all;
  v_agent_type text;
  v_due uuid;
  v_next record;
begin
  if p_projects is not null then
    select p.id as project_id, p.id <= p_after as has_wrapped into v_next
    from unnest(p_projects) as p (id)
    where (p.id > p_after or not p_has_wrapped) and exists (
      select
      from unnest(p_agent_types) as a (name)
      cross join lateral (
        select from public.agent_tasks as t
        where t.status collate "C" = 'pending' and t.agent_type = a.name and t.project_id = p.id and t.available_at <= now()
        limit 1
      ) as due
    )
    order by p.id <= p_after, p.id
    limit 1;
    v_due := v_next.project_id;
    v_has_wrapped := p_has_wrapped or v_next.has_wrapped;
  else
    -- The second half is read only where the first finds nothing.
    loop
      -- Nearly always what comes first is due.
      select f.project_id, f.available_at <= now() as is_due into v_next
      from unnest(p_agent_types) as a (name)
      cross join lateral (
        select t.project_id, t.available_at from public.agent_tasks as t
        where t.status collate "C" = 'pending' and t.agent_type = a.name and t.project_id > v_place
        order by t.agent_type, t.project_id, t.available_at
        limit 1
      ) as f
      order by f.project_id, f.available_at
      limit 1;
      if v_next.is_due then
        v_due := v_next.project_id;
      elsif v_next.project_id is not null then
        foreach v_agent_type in array p_agent_types loop
          v_due := coalesce(private.next_due_project(v_agent_type, v_place, coalesce(v_due, v_last)), v_due);
        end loop;
      end if;
      exit when v_due is not null or v_has_wrapped;
      v_has_wrapped := true;
      v_place := c_before_all;
      v_last := p_after;
    end loop;
  end if;
  if v_due is null then
    return null;
  end if;
  return private.project_turn(v_due, v_has_wrapped);
end
$$;
