-- How long an upload may take, and what a file may be called. Both are asked by every operation on files.
-- An upload that is over its time can no longer be finished, so that whoever takes it back races with nobody: `created_at`
-- only gets older, and taking back sets the time to nought first.

insert into private.error_codes (code, http_status) values
  ('upload_expired', 410),
  ('share_not_found', 404),
  ('share_expired', 410);

-- A function on the platform lives 400 seconds at most; a signed upload is given what sign_upload says.
alter table public.file_storage
  add column upload_seconds integer not null default 900,
  add constraint file_storage_upload_seconds_is_a_time check (upload_seconds between 0 and 86400);

create function private.upload_is_over(p_file public.file_storage)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Not now(): the answer must still be true after waiting for the row's lock.
  return p_file.created_at + make_interval(secs => p_file.upload_seconds) <= clock_timestamp();
end
$$;

-- A name for people to read and to save under: the last part of what was sent, composed, without what nobody sees
-- (controls, zero-width, direction marks, which make "exe.gpj" look like "jpg.exe"). Null where nothing is left. It is
-- never part of where the object is stored.
create function private.clean_file_name(p_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when name <> '' and name !~ '^\.{1,2}$' and char_length(name) <= 255 then name end
  from (
    select btrim(regexp_replace(
      regexp_replace(normalize(p_name, nfc), '^.*[/\\]', ''),
      '[[:cntrl:]\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]', '', 'g'
    )) as name
  ) as cleaned
$$;
