-- A path could hold variation selectors, of which nobody sees one: two paths that look alike, or a whole text hidden in one.
-- One may stand where it is seen: after what is no Latin letter and is not another selector, as an emoji's, or as a digit's, #'s or
-- *'s that a keycap goes around.

-- What is stored already stays what it is, and may be deleted: the table goes on asking this.
alter function private.is_artifact_path(text) rename to is_stored_path;

create function private.is_artifact_path(p_path text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select private.is_stored_path(p_path)
    and regexp_replace(p_path, '[0-9#*]\uFE0F\u20E3|[©®][\uFE0E\uFE0F]', '', 'g')
      !~ '(^|[\u0001-\u00FF\u180B-\u180F\uFE00-\uFE0F\U000E0100-\U000E01EF])[\u180B-\u180F\uFE00-\uFE0F\U000E0100-\U000E01EF]'
$$;
