-- The plans of a start are made once, as those of claims and reports are: it made them anew each time, which was a quarter
-- of its cost.
alter function private.start_workflow(uuid, integer, jsonb, text) set plan_cache_mode = force_generic_plan;
