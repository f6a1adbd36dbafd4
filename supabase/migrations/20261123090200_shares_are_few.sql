-- Removing somebody revokes the shares they made, one row each: with some hundred thousand of them it took longer than a
-- statement may, and they could not be removed. One person has a thousand at work in a project, and what has expired is
-- left as it is.

insert into private.error_codes (code, http_status) values ('too_many_shares', 429);

create index file_shares_at_work on public.file_shares (created_by, project_id, expires_at) where revoked_at is null;

create function private.limit_shares()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  c_per_person constant integer := 1000;
begin
  if c_per_person <= (
    select count(*) from public.file_shares as s
    where s.created_by = new.created_by and s.project_id = new.project_id and s.revoked_at is null and s.expires_at > now()
  ) then
    perform private.refuse(
      'too_many_shares', format('One person has at most %s shares at work in a project: revoke some.', c_per_person)
    );
  end if;
  return new;
end
$$;
revoke execute on function private.limit_shares() from public, anon, authenticated, service_role;

create trigger file_shares_limit_shares before insert on public.file_shares
for each row when (new.created_by is not null) execute function private.limit_shares();

create or replace function private.revoke_shares_of(p_project_id uuid, p_user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.file_shares as s set revoked_at = now()
  where s.created_by = p_user_id and s.project_id = p_project_id and s.revoked_at is null and s.expires_at > now();
end
$$;
