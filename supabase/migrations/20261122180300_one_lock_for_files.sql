-- The locks on groups of paths, which nothing takes any more.
drop function private.task_artifact_keys(uuid, jsonb);
drop function private.lock_artifact_paths(uuid, text[]);
drop function private.lock_artifact_keys(bigint[]);
drop function private.artifact_key(uuid, text);
