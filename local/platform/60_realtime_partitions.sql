-- One partition of realtime.messages per day: makes those of the days around today, drops what is past the 72 hours that
-- messages are kept. Run at each boot, and twice a day while the stack runs.
do $$
declare
  v_day date;
  v_old text;
begin
  for v_day in select generate_series(current_date - 3, current_date + 7, '1 day')::date loop
    execute format(
      'create table if not exists realtime.%I partition of realtime.messages for values from (%L) to (%L)',
      'messages_' || to_char(v_day, 'YYYY_MM_DD'), v_day, v_day + 1
    );
    execute format('alter table realtime.%I owner to supabase_realtime_admin', 'messages_' || to_char(v_day, 'YYYY_MM_DD'));
  end loop;
  for v_old in
    select c.relname from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'realtime.messages'::regclass and c.relname < 'messages_' || to_char(current_date - 3, 'YYYY_MM_DD')
  loop
    execute format('drop table realtime.%I', v_old);
  end loop;
end
$$;
