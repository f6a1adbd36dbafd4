-- Demo data with fixed ids, for a first look at a running stack. Tests never need it; leave it out of production
-- (`supabase db push` applies it only with --include-seed).
--
-- demo user: ada@example.com / genesis-demo-1
-- demo user: grace@example.com / genesis-demo-1
-- demo user: linus@example.com / genesis-demo-1
--
-- ada owns the project, grace edits it, linus is a stranger to it.

insert into auth.users (
  instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data,
  created_at, updated_at, confirmation_token, recovery_token, email_change_token_new, email_change
)
select
  '00000000-0000-0000-0000-000000000000', u.id, 'authenticated', 'authenticated', u.email,
  extensions.crypt('genesis-demo-1', extensions.gen_salt('bf', 10)), now(),
  '{"provider": "email", "providers": ["email"]}', jsonb_build_object('full_name', u.full_name), now(), now(), '', '', '', ''
from (values
  ('a0000000-0000-4000-8000-000000000001'::uuid, 'ada@example.com', 'Ada Lovelace'),
  ('a0000000-0000-4000-8000-000000000002'::uuid, 'grace@example.com', 'Grace Hopper'),
  ('a0000000-0000-4000-8000-000000000003'::uuid, 'linus@example.com', 'Linus Torvalds')
) as u (id, email, full_name)
on conflict (id) do nothing;

insert into auth.identities (provider, provider_id, user_id, identity_data, last_sign_in_at, created_at, updated_at)
select
  'email', u.id::text, u.id, jsonb_build_object('sub', u.id, 'email', u.email, 'email_verified', true), now(), now(), now()
from auth.users as u
where u.email in ('ada@example.com', 'grace@example.com', 'linus@example.com')
on conflict (provider, provider_id) do nothing;

insert into public.projects (id, name, description, owner_id)
values (
  'b0000000-0000-4000-8000-000000000001', 'Todo app', 'A small web application, built by five kinds of agents.',
  'a0000000-0000-4000-8000-000000000001'
)
on conflict (id) do nothing;

insert into public.project_collaborators (project_id, user_id, role)
values ('b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000002', 'editor')
on conflict (project_id, user_id) do nothing;

insert into public.agents (id, name, type, description, system_prompt)
values
  ('c0000000-0000-4000-8000-000000000001', 'Planner', 'architect', 'Breaks the goal into files.', 'You plan software.'),
  ('c0000000-0000-4000-8000-000000000002', 'Page maker', 'frontend', 'Writes pages.', 'You write user interfaces.'),
  ('c0000000-0000-4000-8000-000000000003', 'Service maker', 'backend', 'Writes services.', 'You write services.'),
  ('c0000000-0000-4000-8000-000000000004', 'Checker', 'tester', 'Runs the tests.', 'You test software.'),
  ('c0000000-0000-4000-8000-000000000005', 'Mender', 'debugger', 'Mends what fails.', 'You debug software.')
on conflict (id) do nothing;

insert into public.workflows (id, project_id, name, description, definition, created_by)
values (
  'd0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', 'Build the app',
  'Plan, build both sides at once, test, mend.',
  '{
    "nodes": [
      {"id": "__start__"},
      {"id": "plan", "type": "agent", "agent_type": "architect"},
      {"id": "page", "type": "agent", "agent_type": "frontend"},
      {"id": "service", "type": "agent", "agent_type": "backend"},
      {"id": "test", "type": "agent", "agent_type": "tester", "retry": {"max_attempts": 2, "backoff_seconds": 5}},
      {"id": "mend", "type": "agent", "agent_type": "debugger"},
      {"id": "__end__"}
    ],
    "edges": [
      {"source": "__start__", "target": "plan"},
      {"source": "plan", "target": "page"},
      {"source": "plan", "target": "service"},
      {"source": "page", "target": "test"},
      {"source": "service", "target": "test"},
      {"source": "test", "target": "mend"},
      {"source": "mend", "target": "__end__"}
    ]
  }',
  'a0000000-0000-4000-8000-000000000001'
)
on conflict (id) do nothing;
