-- What every person may read, as one row each: a policy that asks for it finds one row by its key, however many projects
-- there are. The row is never added to or taken from, it is always made anew from what it is a copy of, by whoever
-- changed that and in the same transaction, under a lock on the row: of two who change what one person may read, the
-- second waits and then sees what the first did.

create table private.readers (
  user_id uuid primary key references public.profiles (id) on delete cascade,
  project_ids uuid[] default '{}'
);
comment on column private.readers.project_ids is 'The projects that the person may look into; null: an admin, who reads all.';

create function private.refresh_readers(p_user_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- In one order for all, and as a statement of its own: the next one sees what was committed while this one waited.
  perform from private.readers as r where r.user_id = any (p_user_ids) order by r.user_id for update;
  -- Written even where nothing is new, so that a transaction with an older snapshot fails instead of writing from it.
  update private.readers as r
  set project_ids = case when a.role <> 'admin' then
    -- Lists are searched from the front: one's own come first.
    array(select p.id from public.projects as p where p.owner_id = r.user_id)
    || array(
      select c.project_id
      from private.collaborations as c
      where c.user_id = r.user_id and (c.project_status <> 'deleted' or c.role = 'owner')
    )
  end
  from public.profiles as a
  where a.id = r.user_id and r.user_id = any (p_user_ids);
end
$$;

create function private.keep_readers_of_profiles()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into private.readers (user_id) values (new.id);
  end if;
  perform private.refresh_readers(array[new.id]);
  return null;
end
$$;
create trigger profiles_keep_readers after insert or update of role on public.profiles
for each row execute function private.keep_readers_of_profiles();

create function private.keep_readers_of_projects()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform private.refresh_readers(array(select distinct p.owner_id from new_rows as p));
  elsif tg_op = 'DELETE' then
    perform private.refresh_readers(array(select distinct p.owner_id from old_rows as p));
  else
    -- Here and below no joins: they would be planned for a single row, and take the square of what changed at once.
    perform private.refresh_readers(array(
      select x.owner_id
      from (
        (select o.id, o.owner_id from old_rows as o except select n.id, n.owner_id from new_rows as n)
        union all
        (select n.id, n.owner_id from new_rows as n except select o.id, o.owner_id from old_rows as o)
      ) as x
    ));
  end if;
  return null;
end
$$;
create trigger projects_keep_readers_insert after insert on public.projects
referencing new table as new_rows for each statement execute function private.keep_readers_of_projects();
create trigger projects_keep_readers_update after update on public.projects
referencing old table as old_rows new table as new_rows for each statement execute function private.keep_readers_of_projects();
create trigger projects_keep_readers_delete after delete on public.projects
referencing old table as old_rows for each statement execute function private.keep_readers_of_projects();

create function private.keep_readers_of_collaborations()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform private.refresh_readers(array(select distinct c.user_id from new_rows as c));
  elsif tg_op = 'DELETE' then
    perform private.refresh_readers(array(select distinct c.user_id from old_rows as c));
  elsif tg_op = 'TRUNCATE' then
    perform private.refresh_readers(array(select r.user_id from private.readers as r));
  else
    -- Whose standing is another now; a project that is archived changes nobody's.
    perform private.refresh_readers(array(
      select x.user_id
      from (
        (
          select o.user_id, o.project_id, o.project_status <> 'deleted' or o.role = 'owner' from old_rows as o
          except all
          select n.user_id, n.project_id, n.project_status <> 'deleted' or n.role = 'owner' from new_rows as n
        )
        union all
        (
          select n.user_id, n.project_id, n.project_status <> 'deleted' or n.role = 'owner' from new_rows as n
          except all
          select o.user_id, o.project_id, o.project_status <> 'deleted' or o.role = 'owner' from old_rows as o
        )
      ) as x
    ));
  end if;
  return null;
end
$$;
create trigger collaborations_keep_readers_insert after insert on private.collaborations
referencing new table as new_rows for each statement execute function private.keep_readers_of_collaborations();
create trigger collaborations_keep_readers_update after update on private.collaborations
referencing old table as old_rows new table as new_rows
for each statement execute function private.keep_readers_of_collaborations();
create trigger collaborations_keep_readers_delete after delete on private.collaborations
referencing old table as old_rows for each statement execute function private.keep_readers_of_collaborations();
create trigger collaborations_keep_readers_truncate after truncate on private.collaborations
for each statement execute function private.keep_readers_of_collaborations();

insert into private.readers (user_id) select p.id from public.profiles as p;
select private.refresh_readers(array(select r.user_id from private.readers as r));
