-- Workflows and their versions. `workflows.definition` is the draft that people edit; publishing freezes it as the next
-- immutable version and compiles it into one row per node and per edge, so that starting an execution is one INSERT …
-- SELECT and completing a task looks at that task's edges only.

create table public.workflows (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  name text not null,
  description text,
  definition jsonb not null,
  status text not null default 'draft',
  current_version integer,
  started_at timestamptz,
  completed_at timestamptz,
  created_by uuid default auth.uid() references public.profiles (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint workflows_status_is_known check (status in ('draft', 'active', 'completed', 'failed')),
  constraint workflows_name_has_text check (char_length(btrim(name)) between 1 and 200),
  constraint workflows_description_is_short check (char_length(description) <= 10000),
  constraint workflows_definition_is_an_object check (jsonb_typeof(definition) = 'object'),
  constraint workflows_definition_is_small check (octet_length(definition::text) <= 1048576),
  constraint workflows_draft_has_no_version check ((status = 'draft') = (current_version is null))
);
create index idx_workflows_project_id on public.workflows (project_id);
create index idx_workflows_created_by on public.workflows (created_by);

create table public.workflow_versions (
  id uuid primary key default gen_random_uuid(),
  workflow_id uuid not null references public.workflows (id) on delete cascade,
  project_id uuid not null references public.projects (id) on delete cascade,
  version integer not null,
  definition jsonb not null,
  warnings jsonb not null default '[]',
  source_version integer,
  created_by uuid references public.profiles (id) on delete set null,
  created_at timestamptz not null default now(),
  constraint workflow_versions_count_from_one check (version >= 1),
  constraint workflow_versions_source_is_older check (source_version < version),
  constraint workflow_versions_one_row_per_number unique (workflow_id, version)
);
create index idx_workflow_versions_project_id on public.workflow_versions (project_id);
create index idx_workflow_versions_created_by on public.workflow_versions (created_by);

-- The compiled graph of a version. node_index is the topological order; __start__ and __end__ have no row: an edge from
-- the start is counted in nobody's incoming edges, an edge to the end has no target_index.
create table private.workflow_nodes (
  version_id uuid not null references public.workflow_versions (id) on delete cascade,
  node_index integer not null,
  node_id text not null,
  type text not null,
  agent_type text,
  agent_id uuid,
  incoming integer not null,
  is_entry boolean not null,
  join_mode text not null default 'all',
  input jsonb,
  max_attempts smallint not null default 3,
  backoff_seconds integer not null default 5,
  timeout_seconds integer,
  priority smallint not null default 0,
  options jsonb not null default '{}',
  primary key (version_id, node_index),
  constraint workflow_nodes_one_row_per_id unique (version_id, node_id),
  constraint workflow_nodes_type_is_known check (type in ('agent', 'map', 'approval', 'workflow')),
  constraint workflow_nodes_join_is_known check (join_mode in ('all', 'any'))
);

create table private.workflow_edges (
  version_id uuid not null references public.workflow_versions (id) on delete cascade,
  edge_index integer not null,
  source_index integer not null,
  target_index integer,
  label text,
  predicate text,
  loop_max_iterations integer,
  primary key (version_id, edge_index),
  constraint workflow_edges_loop_is_bounded check (loop_max_iterations >= 1)
);
create index workflow_edges_by_source on private.workflow_edges (version_id, source_index);
create index workflow_edges_by_target on private.workflow_edges (version_id, target_index);

revoke all on public.workflows, public.workflow_versions from anon, authenticated, service_role;
grant select, insert (id, project_id, name, description, definition), update (name, description, definition), delete
on public.workflows to authenticated;
grant select on public.workflow_versions to authenticated;
grant select, insert, update, delete on public.workflows to service_role;
grant select on public.workflow_versions to service_role;
alter table public.workflows enable row level security;
alter table public.workflow_versions enable row level security;

create trigger workflows_set_updated_at before update on public.workflows
for each row execute function private.set_updated_at();

-- Executions are pinned to a version for ever: nothing may rewrite one, whatever the role.
create function private.refuse_version_change()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if to_jsonb(new) - 'created_by' is distinct from to_jsonb(old) - 'created_by' then
    raise exception using errcode = '42501', message = 'A published version is immutable: publish a new one instead.';
  end if;
  return new;
end
$$;
create trigger workflow_versions_refuse_change before update on public.workflow_versions
for each row execute function private.refuse_version_change();

create policy "members can read workflows" on public.workflows
for select to authenticated
using (project_id in (select private.project_ids('reader')));

create policy "editors can create workflows" on public.workflows
for insert to authenticated
with check (project_id in (select private.project_ids('editor')) and created_by = (select auth.uid()));

create policy "editors can edit workflows" on public.workflows
for update to authenticated
using (project_id in (select private.project_ids('editor')))
with check (project_id in (select private.project_ids('editor')));

create policy "owners can delete workflows" on public.workflows
for delete to authenticated
using (project_id in (select private.project_ids('owner')));

create policy "members can read published versions" on public.workflow_versions
for select to authenticated
using (project_id in (select private.project_ids('reader')));
