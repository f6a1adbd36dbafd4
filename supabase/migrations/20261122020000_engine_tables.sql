-- What the whole engine keeps beyond the first one: how a version runs, the counters of wide joins and maps, the turns
-- of loops, decisions of people, and where an execution comes from.

insert into private.error_codes (code, http_status) values
  ('execution_not_failed', 409),
  ('task_not_waiting', 409),
  ('already_decided', 409),
  ('node_not_found', 404);

-- One row per version: what an execution of it has to know at once.
-- mode: plain = agents and plain edges only, so that parallel completions need no order among them. graph = edges are
-- decided one completion at a time. serial = a task may be cancelled by another's completion (`any` joins, loops), so
-- every report waits for the one before it.
create table private.workflow_graphs (
  version_id uuid primary key references public.workflow_versions (id) on delete cascade,
  mode text not null default 'plain',
  end_edges integer not null,
  end_shards smallint not null default 0,
  concurrency_limit integer,
  reducers jsonb not null default '{}',
  has_predicates boolean not null default false,
  constraint workflow_graphs_mode_is_known check (mode in ('plain', 'graph', 'serial')),
  constraint workflow_graphs_concurrency_limit_is_a_count check (concurrency_limit >= 1)
);
insert into private.workflow_graphs (version_id, end_edges, reducers)
select
  v.id, (select count(*) from private.workflow_edges as e where e.version_id = v.id and e.target_index is null),
  coalesce(nullif(v.definition -> 'state', 'null'), '{}')
from public.workflow_versions as v;

-- What a completed task of a plain node does: `unlocks` become pending at once, `counts` lose one of what they wait for
-- (-1 is the end), at the shard of the same place. loops: the loop edges around the node, outermost first.
alter table private.workflow_nodes
  add column unlocks integer[] not null default '{}',
  add column counts integer[] not null default '{}',
  add column count_shards smallint[] not null default '{}',
  add column shards smallint not null default 0,
  add column on_failure text not null default 'fail',
  add column delay_seconds integer not null default 0,
  add column has_labels boolean not null default false,
  add column loops integer[] not null default '{}',
  add constraint workflow_nodes_on_failure_is_known check (on_failure in ('fail', 'skip', 'continue'));

update private.workflow_nodes as n
set
  unlocks = coalesce((
    select array_agg(distinct e.target_index) from private.workflow_edges as e
    join private.workflow_nodes as t on t.version_id = e.version_id and t.node_index = e.target_index
    where e.version_id = n.version_id and e.source_index = n.node_index and t.incoming = 1 and t.input is null
  ), '{}'),
  (counts, count_shards) = (
    select coalesce(array_agg(x.target order by x.target), '{}'), coalesce(array_agg(null::smallint), '{}')
    from (
      select coalesce(e.target_index, -1) as target from private.workflow_edges as e
      left join private.workflow_nodes as t on t.version_id = e.version_id and t.node_index = e.target_index
      where e.version_id = n.version_id and e.source_index = n.node_index and (t.incoming is distinct from 1 or t.input is not null)
    ) as x
  );

-- gates: the loops this edge leads out of, which must have ended before it is decided. is_recorded: it leads into a loop
-- from outside, so its outcome is needed again when the loop turns, or out of one, so that it is decided once although
-- loops that overlap may end twice.
alter table private.workflow_edges
  add column gates integer[],
  add column is_recorded boolean not null default false,
  add column loop_body integer[],
  add column loop_on_exhausted text not null default 'continue',
  add constraint workflow_edges_on_exhausted_is_known check (loop_on_exhausted in ('continue', 'fail'));

alter table public.workflow_executions
  add column parent_task_id uuid references public.agent_tasks (id) on delete cascade,
  add column forked_from uuid references public.workflow_executions (id) on delete set null;
create index idx_workflow_executions_parent_task_id on public.workflow_executions (parent_task_id)
where parent_task_id is not null;
create index idx_workflow_executions_forked_from on public.workflow_executions (forked_from)
where forked_from is not null;

alter table private.execution_progress
  add column root_execution_id uuid,
  add column mode text not null default 'plain',
  add column depth smallint not null default 0,
  add column concurrency_limit integer,
  add constraint execution_progress_mode_is_known check (mode in ('plain', 'graph', 'serial'));
update private.execution_progress as p set root_execution_id = p.workflow_execution_id;
alter table private.execution_progress alter column root_execution_id set not null;

-- has_live_edge: one of the resolved edges into the task was taken. fold_order: where its output stands in the state
-- when its node is in a loop; by node_index otherwise.
alter table public.agent_tasks
  add column timeout_seconds integer,
  add column has_live_edge boolean not null default false,
  add column fold_order integer[];

-- Claims take turns between projects: within one, the order in which its tasks are taken.
drop index public.agent_tasks_claimable;
create index agent_tasks_claimable
on public.agent_tasks (project_id, priority desc, available_at, agent_type, workflow_execution_id)
where status = 'pending';
drop index public.agent_tasks_leased;
create index agent_tasks_leased on public.agent_tasks (lease_expires_at) include (project_id, workflow_execution_id)
where status = 'running';

-- A queue's indexes fill with entries of finished tasks at their low end, which every claim has to step over.
alter table public.agent_tasks set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- What a join, the end of a wide graph or a map still waits for: narrow rows, as a task's own row is costly to rewrite,
-- and for wide ones up to 16 of them, so that parallel completions rarely want the same one. Shard 0 of a join stands
-- alone; of the shards from 1 on, each that reaches zero counts down the task (or the end) itself. A map's shards are
-- its elements' indexes modulo 16.
create table private.countdowns (
  workflow_execution_id uuid not null references public.workflow_executions (id) on delete cascade,
  node_index integer not null,
  shard smallint not null,
  remaining integer not null,
  primary key (workflow_execution_id, node_index, shard),
  constraint countdowns_remaining_is_a_count check (remaining >= 0)
) with (fillfactor = 50);

-- The turns of a loop in one execution; no row: never taken and not ended. granted: turns on top of the bound, given by
-- a retry of an execution that failed for want of them.
create table private.execution_loops (
  workflow_execution_id uuid not null references public.workflow_executions (id) on delete cascade,
  edge_index integer not null,
  taken integer not null default 0,
  granted integer not null default 0,
  is_ended boolean not null default false,
  primary key (workflow_execution_id, edge_index)
);

-- How edges that lead into a loop or out of it were decided.
create table private.edge_outcomes (
  workflow_execution_id uuid not null references public.workflow_executions (id) on delete cascade,
  edge_index integer not null,
  is_live boolean not null,
  primary key (workflow_execution_id, edge_index)
);

-- Running executions whose workflow bounds how many of their tasks may run at once. Empty for most.
create table private.limited_executions (
  workflow_execution_id uuid primary key references public.workflow_executions (id) on delete cascade,
  project_id uuid not null,
  concurrency_limit integer not null
);
create index limited_executions_by_project on private.limited_executions (project_id);

-- What people said to an approval: one row each, never changed.
create table public.task_decisions (
  id uuid primary key default gen_random_uuid(),
  task_id uuid not null references public.agent_tasks (id) on delete cascade,
  project_id uuid not null references public.projects (id) on delete cascade,
  user_id uuid references public.profiles (id) on delete set null,
  decision text not null,
  comment text,
  created_at timestamptz not null default now(),
  constraint task_decisions_decision_is_known check (decision in ('approved', 'rejected')),
  constraint task_decisions_comment_is_short check (char_length(comment) <= 10000),
  constraint task_decisions_one_per_person unique (task_id, user_id)
);
create index idx_task_decisions_project_id on public.task_decisions (project_id);
create index idx_task_decisions_user_id on public.task_decisions (user_id);
revoke all on public.task_decisions from anon, authenticated, service_role;
grant select on public.task_decisions to authenticated, service_role;
alter table public.task_decisions enable row level security;
create policy "members can read decisions" on public.task_decisions
for select to authenticated
using (project_id in (select private.project_ids('reader')));

-- The rules of a task's row, as one function: PostgreSQL reads and plans each CHECK expression anew at every statement,
-- which cost more than the update itself. It raises with the name of the rule that is broken.
create function private.is_legal_task(p_task public.agent_tasks)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_has_ended boolean := p_task.status in ('completed', 'failed', 'skipped', 'cancelled');
  v_rule text;
begin
  v_rule := case
    when not v_has_ended and p_task.status not in ('blocked', 'pending', 'running', 'waiting') then 'agent_tasks_status_is_known'
    when v_has_ended <> (p_task.completed_at is not null) then 'agent_tasks_ended_has_a_time'
    when p_task.status = 'running'
      and (p_task.lease_digest is null or p_task.lease_expires_at is null or p_task.started_at is null)
      then 'agent_tasks_running_has_a_lease'
    when p_task.remaining < 0 then 'agent_tasks_remaining_is_a_count'
    when p_task.remaining > 0 and p_task.status in ('pending', 'running', 'completed', 'failed')
      then 'agent_tasks_waits_only_when_blocked'
    when p_task.attempt < 0 or p_task.max_attempts < 1 then 'agent_tasks_attempt_is_a_count'
    when p_task.execution_time_ms < 0 then 'agent_tasks_execution_time_is_a_duration'
    when p_task.node_type not in ('agent', 'map', 'approval', 'workflow') then 'agent_tasks_node_type_is_known'
  end;
  if v_rule is not null then
    raise exception using
      errcode = '23514', constraint = v_rule, table = 'agent_tasks',
      message = format('A task in the status %s breaks the rule %s.', p_task.status, v_rule);
  end if;
  return true;
end
$$;
alter table public.agent_tasks
  drop constraint agent_tasks_status_is_known,
  drop constraint agent_tasks_running_has_a_lease,
  drop constraint agent_tasks_ended_has_a_time,
  drop constraint agent_tasks_remaining_is_a_count,
  drop constraint agent_tasks_waits_only_when_blocked,
  drop constraint agent_tasks_attempt_is_a_count,
  drop constraint agent_tasks_execution_time_is_a_duration,
  drop constraint agent_tasks_node_type_is_known,
  add constraint agent_tasks_is_legal check (private.is_legal_task(agent_tasks));
