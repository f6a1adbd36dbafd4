-- With the account of who held a project, which its oldest co-owner then holds, invitations of that project to the account's
-- address stayed open: whoever signed up with the address anew could accept them. They end as a member's do.

create or replace function private.revoke_invitations_to_former_account()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- By name it comes before the trigger that passes the projects on.
  update public.project_invitations as i set status = 'revoked'
  from (
    select p.id from public.projects as p where p.owner_id = old.id
    union all
    select c.project_id from public.project_collaborators as c where c.user_id = old.id
  ) as o (project_id)
  where i.project_id = o.project_id and i.email = lower(old.email) and i.status = 'pending';
  return old;
end
$$;
