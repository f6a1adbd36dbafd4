-- Whoever makes a project holds it, and need not say so: `insert({ name })` is a project.
alter table public.projects alter column owner_id set default auth.uid();
