-- A part of a path could be two dots and an Ogham space, the one space of Unicode that has no compatible form and so was
-- none here: what trims names, as JavaScript and Python do, makes two dots of it.
create or replace function private.is_artifact_path(p_path text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select private.is_stored_path(p_path)
    and private.without_unseen(p_path) = p_path
    and normalize(p_path, nfkc) !~ '(^|/)[ \u1680]*\.{1,2}[ \u1680]*(/|$)'
$$;
