-- Two paths could still look alike, or hide a whole text: a variation selector or a joiner beside letters that have no use for
-- it (Cyrillic, Greek, kana), and some rows of Unicode that nobody ever sees. Names of files took all of these, also beside
-- Latin letters. What shows nothing where it stands is said in one place now: paths refuse it, and names lose it.

create function private.without_unseen(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Next to no text has any of these, and only then is it worth while to look at what they stand beside.
  if p_text !~ '[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF]'
  then
    return p_text;
  end if;
  -- Joiners last: what they stand beside counts as it is left.
  return regexp_replace(
    regexp_replace(
      p_text,
      -- Never seen.
      '[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF0-\uFFFB]'
      || '|[\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E00FF\U000E01F0-\U000E0FFF]'
      -- Variation selectors: of emoji, around which a keycap goes, too; of signs, ideographs and the scripts that have forms.
      || '|(?<![©®\u203C\u2049\u2122\u2139\u2190-\u2BFF\u3030\u303D\u3297\u3299\U0001F000-\U0001FAFF])'
      || '(?!(?<=[0-9#*])\uFE0F\u20E3)[\uFE0E\uFE0F]'
      || '|(?<![\u1000-\u109F\u2190-\u2BFF\u3001\u3002\u3400-\u9FFF\uA840-\uA87F\uF900-\uFAFF\U00013000-\U0001342F\U00020000-\U0003FFFF])'
      || '[\uFE00-\uFE0D]'
      || '|(?<![\u1820-\u18AA])[\u180B-\u180D\u180F]'
      || '|(?<![\u3400-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF])[\U000E0100-\U000E01EF]',
      '', 'g'
    ),
    -- Joiners: at an end, or beside what does not join. Arabic, the scripts of India and their kin do, and emoji.
    '(^|(?<=[\u0001-\u05FF\u10A0-\u167F\u1E00-\u218F\u2E80-\uA7FF\uAC00-\uFAFF\uFF00-\uFFFF\U00020000-\U0003FFFF]))[\u200C\u200D]'
    || '|[\u200C\u200D]($|(?=[\u0001-\u05FF\u10A0-\u167F\u1E00-\u218F\u2E80-\uA7FF\uAC00-\uFAFF\uFF00-\uFFFF\U00020000-\U0003FFFF]))',
    '', 'g'
  );
end
$$;

create or replace function private.is_artifact_path(p_path text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select private.is_stored_path(p_path) and private.without_unseen(p_path) = p_path
$$;

create or replace function private.clean_file_name(p_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    -- Nor are blanks seen by themselves, or joiners and variation selectors, which other characters need.
    when name ~ '[^[:space:]\u00A0\u1680\u2000-\u200D\u202F\u205F\u2800\u3000\uFE00-\uFE0F]'
      and name !~ '^\.{1,2}$' and char_length(name) <= 255
    then name
  end
  from (
    select btrim(normalize(
      private.without_unseen(regexp_replace(regexp_replace(p_name, '^.*[/\\]', ''), '[[:cntrl:]]', '', 'g')),
      nfc
    )) as name
  ) as cleaned
$$;
