-- What people write freely has a size: the columns that had none so far, as large as their like elsewhere.
alter table public.project_collaborators
add constraint project_collaborators_permissions_is_small check (octet_length(permissions::text) <= 65536);
alter table public.agent_types
add constraint agent_types_description_is_short check (char_length(description) <= 10000);
alter table public.agents
add constraint agents_description_is_short check (char_length(description) <= 10000),
add constraint agents_model_is_short check (char_length(model_provider) <= 200 and char_length(model_name) <= 200);
