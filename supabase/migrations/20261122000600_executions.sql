-- Executions, their tasks and their events. Clients read them; only the engine in `private` writes them.
-- The hot path decides the shape: a completion touches its own task, the tasks behind its edges and one counter; no
-- foreign key, index or trigger is there that a start or completion would pay for without needing it.

create table public.workflow_executions (
  id uuid primary key default gen_random_uuid(),
  workflow_id uuid not null references public.workflows (id) on delete cascade,
  project_id uuid not null references public.projects (id) on delete cascade,
  version_id uuid not null references public.workflow_versions (id) on delete cascade,
  version integer not null,
  -- The input while it runs, the whole fold of the outputs once it has ended.
  state jsonb not null,
  input jsonb not null default '{}',
  status text not null default 'running',
  error_message text,
  idempotency_key text,
  started_by uuid references public.profiles (id) on delete set null,
  started_at timestamptz default now(),
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint workflow_executions_status_is_known
  check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  constraint workflow_executions_ended_has_a_time
  check ((status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
  constraint workflow_executions_input_is_an_object check (jsonb_typeof(input) = 'object'),
  constraint workflow_executions_idempotency_key_is_short check (char_length(idempotency_key) between 1 and 255),
  constraint workflow_executions_one_per_idempotency_key unique (workflow_id, idempotency_key)
);
create index idx_workflow_executions_workflow_id on public.workflow_executions (workflow_id, created_at desc);
create index idx_workflow_executions_project_id on public.workflow_executions (project_id, created_at desc);
create index idx_workflow_executions_version_id on public.workflow_executions (version_id);
create index idx_workflow_executions_started_by on public.workflow_executions (started_by);

create table public.agent_tasks (
  id uuid primary key default gen_random_uuid(),
  workflow_execution_id uuid not null references public.workflow_executions (id) on delete cascade,
  -- Both proved by the execution, so without foreign keys of their own: for the policy, the claim and the graph.
  project_id uuid not null,
  version_id uuid not null,
  agent_id uuid references public.agents (id) on delete set null,
  agent_type text not null,
  node_id text not null,
  node_index integer not null,
  node_type text not null default 'agent',
  iteration integer not null default 0,
  map_index integer,
  priority smallint not null default 0,
  status text not null default 'blocked',
  -- Incoming edges not yet resolved; at zero the task becomes pending.
  remaining integer not null default 0,
  attempt smallint not null default 0,
  max_attempts smallint not null default 3,
  available_at timestamptz not null default now(),
  worker_id text,
  -- sha256 of the lease token: readable by members and useless to them.
  lease_digest bytea,
  lease_expires_at timestamptz,
  -- Fingerprint of the last report, to tell the same completion sent twice from a different one.
  report_digest text,
  input_data jsonb,
  output_data jsonb,
  label text,
  error_message text,
  execution_time_ms integer,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint agent_tasks_status_is_known
  check (status in ('blocked', 'pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled')),
  constraint agent_tasks_running_has_a_lease
  check (status <> 'running' or (lease_digest is not null and lease_expires_at is not null and started_at is not null)),
  constraint agent_tasks_ended_has_a_time
  check ((status in ('completed', 'failed', 'skipped', 'cancelled')) = (completed_at is not null)),
  constraint agent_tasks_remaining_is_a_count check (remaining >= 0),
  constraint agent_tasks_waits_only_when_blocked check (remaining = 0 or status in ('blocked', 'cancelled', 'skipped')),
  constraint agent_tasks_attempt_is_a_count check (attempt >= 0 and max_attempts >= 1),
  constraint agent_tasks_execution_time_is_a_duration check (execution_time_ms >= 0),
  constraint agent_tasks_node_type_is_known check (node_type in ('agent', 'map', 'approval', 'workflow'))
) with (fillfactor = 80);
-- One row per node, iteration and element of an execution; without a map_index it is not an element.
create unique index idx_agent_tasks_workflow_execution_id
on public.agent_tasks (workflow_execution_id, node_index, iteration, map_index) nulls not distinct;
create index idx_agent_tasks_agent_id on public.agent_tasks (agent_id) where agent_id is not null;
-- What a claim looks for, in the order it takes it; and what has to be taken back from a dead worker.
create index agent_tasks_claimable on public.agent_tasks (agent_type, priority desc, available_at, created_at)
where status = 'pending';
create index agent_tasks_leased on public.agent_tasks (lease_expires_at) where status = 'running';

-- How many edges into the end are unresolved: at zero the execution is complete. A row of its own, so that completions
-- never lock the execution row that every reader looks at.
create table private.execution_progress (
  workflow_execution_id uuid primary key references public.workflow_executions (id) on delete cascade,
  remaining integer not null,
  constraint execution_progress_remaining_is_a_count check (remaining >= 0)
) with (fillfactor = 50);

-- What happened, in an order that a reader can follow from a cursor (transaction_id, id) up to the snapshot's horizon.
-- No foreign key: checking one would lock the execution row at every event. Deleting an execution takes them along.
create table public.execution_events (
  workflow_execution_id uuid not null,
  transaction_id xid8 not null default pg_current_xact_id(),
  id bigint not null generated always as identity,
  project_id uuid not null,
  task_id uuid,
  type text not null,
  data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  primary key (workflow_execution_id, transaction_id, id),
  constraint execution_events_type_is_a_name check (type ~ '^(execution|task)\.[a-z_]+$')
);

create function private.delete_events()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  delete from public.execution_events as e using old_rows as o where e.workflow_execution_id = o.id;
  return null;
end
$$;
create trigger workflow_executions_delete_events after delete on public.workflow_executions
referencing old table as old_rows for each statement execute function private.delete_events();

revoke all on public.workflow_executions, public.agent_tasks, public.execution_events
from anon, authenticated, service_role;
grant select on public.workflow_executions, public.agent_tasks, public.execution_events to authenticated, service_role;
alter table public.workflow_executions enable row level security;
alter table public.agent_tasks enable row level security;
alter table public.execution_events enable row level security;

create policy "members can read executions" on public.workflow_executions
for select to authenticated
using (project_id in (select private.project_ids('reader')));

create policy "members can read tasks" on public.agent_tasks
for select to authenticated
using (project_id in (select private.project_ids('reader')));

create policy "members can read events" on public.execution_events
for select to authenticated
using (project_id in (select private.project_ids('reader')));
