-- Stricter paths: also no drive letter, which is an absolute path where an archive is unpacked on Windows, and no more
-- of the characters that nobody sees: tags, which can carry a whole hidden text, fillers and joiners without a glyph.

create or replace function private.is_artifact_path(p_path text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select octet_length(p_path) between 1 and 1024
    and p_path is nfc normalized
    and p_path !~ '[[:cntrl:]\\\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]'
    and p_path !~ '[\u034F\u115F\u1160\u17B4\u17B5\u3164\uFFA0\U000E0000-\U000E007F]'
    and p_path !~ '[\u2044\u2215\u29F5\u29F8\u29F9\u2216\uFE68\uFF0F\uFF3C]'
    -- A joiner belongs inside an emoji or a word that needs it, never beside Latin letters and dots.
    and p_path !~ '(^|[\u0001-\u00FF])[\u200C\u200D]|[\u200C\u200D]([\u0001-\u00FF]|$)'
    and normalize(p_path, nfkc) !~ '(^|/)\.{0,2}(/|$)'
    and normalize(p_path, nfkc) !~ '^[A-Za-z]:'
$$;

create or replace function private.artifact_path_rule()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'must be relative and normalised: at most 1024 bytes, no empty, "." or ".." part, no drive letter, no backslash, no look-alike of these, no invisible character'
$$;
