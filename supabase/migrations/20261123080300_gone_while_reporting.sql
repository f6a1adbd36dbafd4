-- A report that began the execution of a workflow which was being deleted met a foreign key, and the whole batch with it was
-- an error of ours. It is answered like every other report that can be tried again.

create or replace function private.refusal_answer(p_sqlstate text, p_message text, p_detail text, p_hint text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_error jsonb;
begin
  v_error := case
    when p_sqlstate like 'PT4%'
      then jsonb_build_object('code', p_hint, 'message', p_message, 'details', p_detail::jsonb)
    when p_sqlstate = '57014'
      then jsonb_build_object('code', 'unavailable', 'message', 'The database took too long; try again.', 'details', '{}'::jsonb)
    when p_sqlstate = '23503'
      then jsonb_build_object('code', 'unavailable', 'message', 'Something this belongs to was just being deleted; try again.', 'details', '{}'::jsonb)
    when p_sqlstate = '54001'
      then jsonb_build_object('code', 'validation_failed', 'message', 'The JSON is nested too deeply.', 'details', '{}'::jsonb)
    when p_sqlstate like '54%'
      then jsonb_build_object('code', 'payload_too_large', 'message', 'The data is more than one value can hold.', 'details', '{}'::jsonb)
    when p_sqlstate like '22%' or p_sqlstate = '23514'
      then jsonb_build_object('code', 'validation_failed', 'message', format('A value is not allowed here: %s.', p_message), 'details', '{}'::jsonb)
  end;
  return case when v_error is not null then jsonb_build_object('ok', false, 'error', v_error) end;
end
$$;
