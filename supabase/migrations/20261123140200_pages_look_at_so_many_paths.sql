-- A page of a snapshot went on until it was full, past all paths whose files are deleted: of these a member can heap up
-- without a bound, and two millions took everybody's snapshot beyond what a statement may. A page looks at fifty thousand
-- paths now, and the next one goes on behind them.

create or replace function private.artifact_snapshot(
  p_project_id uuid, p_at timestamptz, p_execution_id uuid, p_after text, p_limit integer, p_with_content boolean
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set enable_sort = off
as $$
declare
  v_limit integer := coalesce(p_limit, 200);
  v_at timestamptz;
  v_answer jsonb;
  -- About a fifth of a second, where a project has so many paths that no longer lead to a file.
  c_looked_at constant integer := 50000;
begin
  perform private.require_role(p_project_id, 'reader');
  if v_limit not between 1 and 1000 then
    perform private.refuse_field('limit', 'must be 1 to 1000');
  end if;
  if p_at is not null and p_execution_id is not null then
    perform private.refuse_field('at', 'must not come together with execution_id');
  end if;
  v_at := least(
    private.last_artifact_moment(p_project_id),
    date_trunc(
      'milliseconds',
      case when p_execution_id is not null then private.execution_moment(p_project_id, p_execution_id) else p_at end
    )
  );

  -- From path to path by the index, and at each path back to the moment; it stops when the page is full, or has looked at
  -- so many paths that the next page goes on.
  with recursive paths (file_path, place) as (
    (
      select a.file_path, 1 from public.code_artifacts as a
      where a.project_id = p_project_id and a.file_path > coalesce(p_after, '')
      order by a.file_path
      limit 1
    )
    union all
    select (
      select a.file_path from public.code_artifacts as a
      where a.project_id = p_project_id and a.file_path > p.file_path
      order by a.file_path
      limit 1
    ), p.place + 1
    from paths as p
    where p.file_path is not null and p.place < c_looked_at
  ), found as (
    select p.file_path, f.artifact, not coalesce((f.artifact).is_deleted, true) as is_file, p.place = c_looked_at as is_last
    from paths as p
    left join lateral (
      select a as artifact
      from public.code_artifacts as a
      where a.project_id = p_project_id and a.file_path = p.file_path and a.created_at <= v_at
      order by a.version desc
      limit 1
    ) as f on true
    where p.file_path is not null and (not coalesce((f.artifact).is_deleted, true) or p.place = c_looked_at)
    limit v_limit + 1
  ), numbered as (
    select f.*, row_number() over (order by f.file_path) as place,
      sum(b.bytes) over (order by f.file_path) - b.bytes as bytes_before
    from found as f
    cross join lateral (
      select
        octet_length((f.artifact).metadata::text)
        + case when p_with_content then (f.artifact).content_bytes else 0 end as bytes
    ) as b
  ), page as (
    -- A page ends after 2 MiB of metadata and contents, though never before its first file.
    select n.* from numbered as n
    where n.is_file and n.place <= v_limit and (n.place = 1 or n.bytes_before < 2097152)
  )
  select jsonb_build_object(
    'at', v_at,
    'files', coalesce(
      jsonb_agg(
        case
          when p_with_content then private.artifact_json(p.artifact, c.content)
          else to_jsonb(p.artifact)
        end
        order by p.file_path
      ), '[]'
    ),
    'next_after', case
      when count(*) < (select count(*) from numbered as n where n.is_file) then max(p.file_path)
      else (select n.file_path from numbered as n where n.is_last)
    end
  ) into v_answer
  from page as p
  left join lateral (
    select t.content
    from private.artifact_contents as t
    where p_with_content and t.project_id = p_project_id and t.sha256 = (p.artifact).content_sha256
    limit 1
  ) as c on true;
  return v_answer;
end
$$;
