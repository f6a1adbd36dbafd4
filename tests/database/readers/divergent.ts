// The plain definition of who reads what, from the tables that people know, beside the copies that policies ask.
import type postgres from "postgres";

/** People whose row in private.readers says something else than the tables do. */
export async function divergent(sql: postgres.Sql | postgres.TransactionSql): Promise<unknown[]> {
  return [
    ...await sql`
    with plain as (
      select a.id as user_id, case when a.role <> 'admin' then array(
        select p.id
        from public.projects as p
        left join public.project_collaborators as c on c.project_id = p.id and c.user_id = a.id
        where p.owner_id = a.id or c.role = 'owner' or (c.role is not null and p.status <> 'deleted')
        order by p.id
      ) end as project_ids
      from public.profiles as a
    )
    select user_id, plain.project_ids as plain, r.project_ids as copy
    from plain
    full join private.readers as r using (user_id)
    where plain.project_ids is distinct from case when r.project_ids is not null then
      array(select distinct x from unnest(r.project_ids) as x order by x)
    end`,
  ];
}

/** Messages that say something else about who may read them than their session does. */
export async function strayMessages(sql: postgres.Sql | postgres.TransactionSql): Promise<unknown[]> {
  return [
    ...await sql`
    select m.id, m.project_id, m.private_to, s.project_id as plain_project, s.user_id, s.is_shared
    from public.chat_messages as m
    join public.chat_sessions as s on s.id = m.session_id
    where (m.project_id, m.private_to)
      is distinct from (s.project_id, case when not s.is_shared then s.user_id end)`,
  ];
}
