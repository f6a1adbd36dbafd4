-- A file could still be called by nothing that is seen (a joiner, a filler, blanks of all sorts), and by a name that was
-- composed before what stood between its letters was taken out. What paths refuse as invisible goes, and composing comes last.

create or replace function private.clean_file_name(p_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    -- Joiners and variation selectors, which emoji need, are not seen by themselves, nor are blanks.
    when name ~ '[^[:space:]\u00A0\u1680\u2000-\u200D\u202F\u205F\u2800\u3000\uFE00-\uFE0F]'
      and name !~ '^\.{1,2}$' and char_length(name) <= 255
    then name
  end
  from (
    select btrim(normalize(
      regexp_replace(
        regexp_replace(p_name, '^.*[/\\]', ''),
        '[[:cntrl:]\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB\U000E0000-\U000E007F]',
        '', 'g'
      ),
      nfc
    )) as name
  ) as cleaned
$$;
