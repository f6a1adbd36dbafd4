-- A condition, an input or a list of a map folded all outputs of the execution, whatever it read: in a graph of 10,000 tasks
-- a report took as long as a thousand others. Which channels they name is worked out when a version is published.

-- The channels of the state that the paths of a version name.
create table private.named_channels (
  version_id uuid not null references public.workflow_versions (id) on delete cascade,
  channel text not null,
  primary key (version_id, channel)
);

-- Whether there are any: none are known of versions that are older than this.
alter table private.workflow_graphs add column names_channels boolean not null default false;

-- The channels that a path reads; null where that is all of them, or one whose name is too long for an index.
create function private.channels_of(p_path text)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_token text[];
  v_channel text;
  v_channels text[] := '{}';
begin
  -- As PostgreSQL writes a path, all keys and texts stand in quotes: what is $ elsewhere is the state, or a variable.
  for v_token in
    select m from regexp_matches(p_path::jsonpath::text, '(\$)(?:\.("(?:[^"\\]|\\.)*"))?|"(?:[^"\\]|\\.)*"', 'g') as m
  loop
    continue when v_token[1] is null;
    v_channel := v_token[2]::jsonb #>> '{}';
    if v_channel is null or octet_length(v_channel) > 500 then
      return null;
    end if;
    v_channels := array_append(v_channels, v_channel);
  end loop;
  return v_channels;
end
$$;

-- The paths of an input mapping; its other values are constants.
create function private.paths_of(p_mapping jsonb)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select m.value #>> '{}' from jsonb_each(p_mapping) as m
    where jsonb_typeof(m.value) = 'string' and m.value #>> '{}' like '$%'
  );
end
$$;

create function private.name_channels(p_version_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into private.named_channels (version_id, channel)
  select distinct p_version_id, c.channel
  from (
    select e.predicate as path from private.workflow_edges as e where e.version_id = p_version_id and e.predicate is not null
    union
    select n.options ->> 'over' from private.workflow_nodes as n where n.version_id = p_version_id and n.type = 'map'
    union
    select m.path
    from private.workflow_nodes as n
    cross join lateral unnest(private.paths_of(n.input)) as m (path)
    where n.version_id = p_version_id and n.input is not null
  ) as p
  cross join lateral unnest(private.channels_of(p.path)) as c (channel);
  update private.workflow_graphs as g set names_channels = true where found and g.version_id = p_version_id;
end
$$;
revoke execute on function private.channels_of(text), private.paths_of(jsonb), private.name_channels(uuid)
from public, anon, authenticated, service_role;
