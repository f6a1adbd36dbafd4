-- Which leases ran out is asked of the index by time, whatever PostgreSQL knows of the table. Where its statistics knew of few
-- leases it could take the index by project, and with it read all there are: 100,000 that one person held cost 4 ms of each claim
-- that found less than it asked for. It takes this index where the collation of the status is written out, and no other one then.

drop index public.agent_tasks_leased;
create index agent_tasks_leased on public.agent_tasks (lease_expires_at) where (status collate "C") = 'running';

create or replace function private.has_expired_tasks()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (select from public.agent_tasks as t where t.status collate "C" = 'running' and t.lease_expires_at < now());
end
$$;

create or replace function private.expired_tasks(p_projects uuid[], p_first uuid)
returns table (id uuid, project_id uuid, lease_expires_at timestamptz, is_last_attempt boolean)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  c_max_projects constant integer := 100;
  c_max_steps constant integer := 200;
  c_max_tasks constant integer := 300;
  v_projects uuid[];
  v_found uuid[] := '{}';
  v_place uuid := gen_random_uuid();
  v_next record;
begin
  if p_projects is not null then
    v_projects := array(
      select p.id
      from unnest(p_projects) as p (id)
      cross join lateral (
        select t.lease_expires_at from public.agent_tasks as t
        where t.status = 'running' and t.project_id between p.id and p.id
        order by t.project_id, t.lease_expires_at
        limit 1
      ) as f
      where f.lease_expires_at < now()
      order by (p.id = p_first) is true desc, random()
      limit c_max_projects
    );
  else
    v_projects := array(
      select t.project_id from public.agent_tasks as t
      where t.status collate "C" = 'running' and t.lease_expires_at < now()
      order by t.lease_expires_at
      limit c_max_projects
    );
    -- Otherwise these are all.
    if cardinality(v_projects) = c_max_projects then
      for v_step in 1 .. c_max_steps loop
        select t.project_id, t.lease_expires_at into v_next
        from public.agent_tasks as t
        where t.status = 'running' and t.project_id > v_place
        order by t.project_id, t.lease_expires_at
        limit 1;
        v_place := coalesce(v_next.project_id, '00000000-0000-0000-0000-000000000000');
        if v_next.lease_expires_at < now() then
          exit when v_place = any (v_found) or cardinality(v_found) = c_max_projects;
          v_found := v_found || v_place;
        end if;
      end loop;
      v_projects := v_projects || p_first || v_found;
    end if;
    v_projects := array(select distinct p.id from unnest(v_projects) as p (id) where p.id is not null);
  end if;

  return query
  select e.id, p.id, e.lease_expires_at, e.attempt >= e.max_attempts and o.status = 'active'
  from unnest(v_projects) as p (id)
  join public.projects as o on o.id = p.id
  cross join lateral (
    select t.id, t.lease_expires_at, t.attempt, t.max_attempts from public.agent_tasks as t
    where t.status = 'running' and t.project_id between p.id and p.id and t.lease_expires_at < now()
    order by t.project_id, t.lease_expires_at
    limit greatest(c_max_tasks / nullif(cardinality(v_projects), 0), 1)
  ) as e;
end
$$;
