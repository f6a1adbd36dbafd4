-- Who waited for an object while its project was archived still deleted it: of the questions that their deletion is asked
-- again, the project's state was missing.

create or replace function private.check_remover()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not exists (
    select from public.projects as p
    left join public.project_collaborators as c on c.project_id = p.id and c.user_id = auth.uid()
    where p.id::text = (storage.foldername(old.name))[1]
      and p.status = 'active'
      and (p.owner_id = auth.uid() or c.role = 'owner' or c.role = 'editor' and old.owner_id = auth.uid()::text)
  ) then
    raise insufficient_privilege using message = 'You may no longer delete this object.';
  end if;
  return null;
end
$$;
