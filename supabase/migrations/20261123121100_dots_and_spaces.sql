-- A part of a path could be ".. ", two dots and a space, which nobody can tell from two dots, and which some who unpack an
-- archive on Windows make two dots of: they take away the spaces that a name ends with.
create or replace function private.is_artifact_path(p_path text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select private.is_stored_path(p_path)
    and private.without_unseen(p_path) = p_path
    and normalize(p_path, nfkc) !~ '(^|/) *\.{1,2} *(/|$)'
$$;
