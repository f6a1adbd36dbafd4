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
    select n.options ->> 'over' from private.workflow_nodes as n where n.version_id = p_version_id and n.options ? 'over'
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

create or replace function private.add_version(p_workflow public.workflows, p_definition jsonb, p_source_version integer)
returns public.workflow_versions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_graph jsonb := private.compile_definition(p_workflow.project_id, p_definition);
  v_version public.workflow_versions;
begin
  if v_graph -> 'faults' <> '[]' then
    perform private.refuse(
      'workflow_invalid',
      format('The workflow has %s fault(s): see details.', jsonb_array_length(v_graph -> 'faults')),
      jsonb_build_object('faults', v_graph -> 'faults')
    );
  end if;

  insert into public.workflow_versions (workflow_id, project_id, version, definition, warnings, source_version, created_by)
  values (
    p_workflow.id, p_workflow.project_id, coalesce(p_workflow.current_version, 0) + 1, p_definition,
    v_graph -> 'warnings', p_source_version, auth.uid()
  )
  returning * into v_version;

  insert into private.workflow_graphs (version_id, mode, end_edges, end_shards, concurrency_limit, reducers, has_predicates)
  select v_version.id, g.mode, g.end_edges, g.end_shards, g.concurrency_limit, g.reducers, g.has_predicates
  from jsonb_populate_record(null::private.workflow_graphs, v_graph) as g;

  insert into private.workflow_nodes (
    version_id, node_index, node_id, type, agent_type, agent_id, incoming, is_entry, join_mode, input, max_attempts,
    backoff_seconds, timeout_seconds, priority, options, unlocks, counts, count_shards, shards, on_failure, delay_seconds,
    has_labels, loops
  )
  select v_version.id, n.node_index, n.node_id, n.type, n.agent_type, n.agent_id, n.incoming, n.is_entry, n.join_mode, n.input,
    n.max_attempts, n.backoff_seconds, n.timeout_seconds, n.priority, n.options, n.unlocks, n.counts, n.count_shards, n.shards,
    n.on_failure, n.delay_seconds, n.has_labels, n.loops
  from jsonb_populate_recordset(null::private.workflow_nodes, v_graph -> 'nodes') as n;

  insert into private.workflow_edges (
    version_id, edge_index, source_index, target_index, label, predicate, loop_max_iterations, loop_on_exhausted, loop_body,
    loop_sources, gates, is_recorded
  )
  select v_version.id, e.edge_index, e.source_index, e.target_index, e.label, e.predicate, e.loop_max_iterations,
    e.loop_on_exhausted, e.loop_body, e.loop_sources, e.gates, e.is_recorded
  from jsonb_populate_recordset(null::private.workflow_edges, v_graph -> 'edges') as e;
  perform private.name_channels(v_version.id);

  update public.workflows as w set current_version = v_version.version, status = 'active' where w.id = p_workflow.id;
  return v_version;
end
$$;
