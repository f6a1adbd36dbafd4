-- A path was written out as text to be looked at, with its numbers in full: thirty kilobytes of `$.a == 1e131071` took two
-- gigabytes to publish, and a second of every report behind which they stood. No path needs a number with an exponent of 400 and
-- more, so none is a path with one.

create or replace function private.is_path(p_value jsonb)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select case
    when jsonb_typeof(p_value) is distinct from 'string' then false
    -- Beside comments, texts and names. First, as PostgreSQL raises an error of a number beyond its own.
    when regexp_replace(p_value #>> '{}', '/\*([^*]|\*+[^*/])*\*+/|"([^"\\]|\\.)*"', ' ', 'g')
      ~ '(^|[^[:alnum:]_$\\\u0080-\uFFFF])[0-9][0-9._]*[eE][+-]?([0-9_]{4}|[4-9][0-9]{2})' then false
    when not pg_input_is_valid(p_value #>> '{}', 'jsonpath') then false
    else regexp_replace((p_value #>> '{}')::jsonpath::text, '"([^"\\]|\\.)*"', '""', 'g') !~ '\$"'
  end
$$;
