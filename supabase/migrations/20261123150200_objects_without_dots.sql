-- An object's name has no parts "." and "..". Storage takes them where the name comes in a body instead of an address (copies,
-- moves, resumable uploads), and the policies go by the first part: for them "<one project>/../<another>/a" is an object of the
-- first. Whoever makes an address of it comes to the second, as every client resolves such parts away, with the secret key, too;
-- and a Storage that keeps its objects as files under their names comes to another file.
create function private.refuse_dots()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  raise insufficient_privilege using message = 'The name of an object has no parts "." and "..".';
  return null;
end
$$;

create trigger objects_refuse_dots before insert on storage.objects
for each row when (new.bucket_id = 'genesis-files' and new.name ~ '(^|/)\.{1,2}(/|$)')
execute function private.refuse_dots();

create trigger objects_refuse_dots_later before update on storage.objects
for each row when (
  new.bucket_id = 'genesis-files' and new.name ~ '(^|/)\.{1,2}(/|$)'
  and (new.bucket_id, new.name) is distinct from (old.bucket_id, old.name)
)
execute function private.refuse_dots();
