-- A grown installation, made set by set: projects with members, a finished execution, artifacts and a chat each.
-- Parameters: $1 projects, $2 tasks and artifacts per project, $3 messages per chat.

create temporary table people as
select gen_random_uuid() as id, g as n from generate_series(1, greatest(10, $1 / 4)) as g;

insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
select p.id, 'person-' || p.n || '@example.com', now(), jsonb_build_object('full_name', 'Person ' || p.n)
from people as p;

-- The reader is person 1: an owner of every hundredth project and a collaborator in four more of each hundred.
insert into public.projects (name, owner_id, created_at)
select
  'Project ' || g,
  (select p.id from people as p where p.n = case when g % 100 = 1 then 1 else 2 + g % ((select count(*) from people) - 1) end),
  now() - g * interval '1 minute'
from generate_series(1, $1) as g;

create temporary table numbered as
select p.*, substring(p.name from '\d+')::integer as n from public.projects as p;

insert into public.project_collaborators (project_id, user_id, role)
select x.id, p.id, case when p.n % 2 = 0 then 'editor' else 'viewer' end
from numbered as x
join people as p on p.n in (
  case when x.n % 100 between 11 and 14 then 1 end,
  2 + (x.n + 1) % ((select count(*) from people) - 1),
  2 + (x.n + 2) % ((select count(*) from people) - 1)
);

insert into public.workflows (project_id, name, definition, status, current_version, created_by)
select x.id, 'A workflow', '{"nodes": [{"id": "n", "agent_type": "architect"}]}', 'active', 1, x.owner_id
from numbered as x;

insert into public.workflow_versions (workflow_id, project_id, version, definition)
select w.id, w.project_id, 1, w.definition from public.workflows as w;

-- The compiled graph of each: a chain as long as its tasks are many.
insert into private.workflow_nodes (version_id, node_index, node_id, type, agent_type, incoming, is_entry)
select v.id, g, 'n' || g, 'agent', 'architect', case g when 1 then 0 else 1 end, g = 1
from public.workflow_versions as v
cross join generate_series(1, $2) as g;

insert into private.workflow_edges (version_id, edge_index, source_index, target_index)
select n.version_id, n.node_index, n.node_index, nullif(n.node_index, $2) + 1 from private.workflow_nodes as n;

insert into public.workflow_executions (workflow_id, project_id, version_id, version, state, status, completed_at)
select v.workflow_id, v.project_id, v.id, 1, '{}', 'completed', now() from public.workflow_versions as v;

insert into private.workflow_graphs (version_id, end_edges) select v.id, 1 from public.workflow_versions as v;

insert into private.execution_progress (workflow_execution_id, root_execution_id, remaining)
select e.id, e.id, 0 from public.workflow_executions as e;

insert into private.countdowns (workflow_execution_id, node_index, shard, remaining)
select e.id, g, 0, 0 from public.workflow_executions as e cross join generate_series(1, 5) as g;

insert into private.limited_executions (workflow_execution_id, project_id, concurrency_limit)
select e.id, e.project_id, 10 from public.workflow_executions as e;

insert into public.agent_tasks (
  workflow_execution_id, project_id, version_id, agent_type, node_id, node_index, status, attempt, input_data, output_data,
  started_at, completed_at
)
select
  e.id, e.project_id, e.version_id, 'architect', 'n' || g, g, 'completed', 1, '{"goal": "a todo app"}',
  jsonb_build_object('done', g), now(), now()
from public.workflow_executions as e
cross join generate_series(1, $2) as g;

with texts as materialized (
  select t.id, t.project_id, t.node_id, t.created_at, '// ' || t.node_id || chr(10) || repeat('export {};' || chr(10), 20) as content
  from public.agent_tasks as t
), kept as (
  insert into private.artifact_contents (project_id, sha256, content)
  select distinct t.project_id, encode(sha256(convert_to(t.content, 'UTF8')), 'hex'), t.content from texts as t
)
insert into public.code_artifacts (project_id, task_id, name, file_path, content_sha256, content_bytes, created_at)
select
  t.project_id, t.id, t.node_id || '.ts', 'src/' || t.node_id || '.ts', encode(sha256(convert_to(t.content, 'UTF8')), 'hex'),
  octet_length(t.content), t.created_at
from texts as t;

insert into public.chat_sessions (project_id, user_id, is_shared)
select x.id, x.owner_id, true from numbered as x;

insert into public.chat_messages (session_id, user_id, role, content, created_at)
select s.id, s.user_id, 'user', 'Message ' || g, now() - g * interval '1 second'
from public.chat_sessions as s
cross join generate_series(1, $3) as g;
