-- Claims take back what dead workers hold, so nothing has to run in the background. Where no worker asks any more, a task
-- would be shown as running until one does: with pg_cron the same is done once a minute. Who adds pg_cron later runs the
-- call below once (docs/workflows.md).
do $$
begin
  if exists (select from pg_extension as e where e.extname = 'pg_cron') then
    perform cron.schedule('genesis-sweep-leases', '* * * * *', 'select private.reclaim_tasks()');
  end if;
end
$$;
