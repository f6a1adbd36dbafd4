-- Whatever works at executions and artifacts finds its rows by an index, as claims and reports do, and so do the checks of
-- their foreign keys. The plan of such a check is made once in a session, by whoever needs it first: made on a table of a few
-- executions it read the whole table for each task of every later start, until the next analyze.
alter function private.start_workflow(uuid, integer, jsonb, text) set enable_seqscan = off;
alter function private.cancel_execution(uuid, text) set enable_seqscan = off;
alter function private.decide_task(uuid, text, text) set enable_seqscan = off;
alter function private.delete_artifact_as_caller(uuid, text, uuid, integer, uuid) set enable_seqscan = off;
alter function private.fork_execution(uuid, text, jsonb) set enable_seqscan = off;
alter function private.heartbeat_task(uuid, uuid, integer) set enable_seqscan = off;
alter function private.release_task(uuid, uuid) set enable_seqscan = off;
alter function private.restore_artifact(uuid) set enable_seqscan = off;
alter function private.retry_execution(uuid, text) set enable_seqscan = off;
alter function private.revert_execution(uuid) set enable_seqscan = off;
alter function private.save_artifact_as_caller(uuid, text, text, text, text, text, uuid, jsonb, integer, uuid) set enable_seqscan = off;
