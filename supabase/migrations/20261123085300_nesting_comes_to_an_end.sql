-- Publishing a graph in which an edge marked as a loop does not lead back, which is a fault, could go on until the statement's
-- time was over: the loop had nothing to add to the one around it, and was added to it again and again.

create or replace function private.nest_loops(
  p_forth integer[], p_forth_first integer[], p_back integer[], p_back_first integer[], p_sources integer[], p_targets integer[],
  out v_family integer[], out v_inside jsonb, out v_beside jsonb, out v_sharing jsonb
)
language plpgsql
stable
set search_path = ''
as $$
declare
  c_none constant bit(100) := 0::bit(100);
  v_count integer := cardinality(p_sources);
  v_from boolean[];
  v_to boolean[];
  -- Of each loop: which targets and sources its own target leads to, and which of them lead to its source.
  v_to_targets bit(100)[];
  v_to_sources bit(100)[];
  v_targets_before bit(100)[];
  v_sources_before bit(100)[];
  -- Of each family: the sources of all that is inside, and which targets and sources are.
  v_ends bit(100)[];
  v_targets_inside bit(100)[];
  v_sources_inside bit(100)[];
  v_bits bit(100)[];
  v_old integer;
  v_new integer;
  v_is_growing boolean := true;
begin
  for v_loop in 1 .. v_count loop
    v_from := private.reach(p_forth, p_forth_first, array[p_targets[v_loop]]);
    v_to := private.reach(p_back, p_back_first, array[p_sources[v_loop]]);
    v_bits := array[c_none, c_none, c_none, c_none];
    for v_other in 1 .. v_count loop
      v_bits[1] := set_bit(v_bits[1], v_other - 1, v_from[p_targets[v_other]]::integer);
      v_bits[2] := set_bit(v_bits[2], v_other - 1, v_from[p_sources[v_other]]::integer);
      v_bits[3] := set_bit(v_bits[3], v_other - 1, v_to[p_targets[v_other]]::integer);
      v_bits[4] := set_bit(v_bits[4], v_other - 1, v_to[p_sources[v_other]]::integer);
    end loop;
    v_to_targets[v_loop] := v_bits[1];
    v_to_sources[v_loop] := v_bits[2];
    v_targets_before[v_loop] := v_bits[3];
    v_sources_before[v_loop] := v_bits[4];
    v_family[v_loop] := v_loop;
    v_ends[v_loop] := set_bit(c_none, v_loop - 1, 1);
  end loop;

  -- One family: into one node, and neither source leads to the other. What does not lead back at all is a fault of its own.
  for v_one in 1 .. v_count loop
    for v_other in v_one + 1 .. v_count loop
      continue when p_targets[v_one] <> p_targets[v_other] or v_family[v_one] = v_family[v_other]
        or get_bit(v_to_sources[v_one], v_one - 1) = 0 or get_bit(v_to_sources[v_other], v_other - 1) = 0
        or get_bit(v_sources_before[v_one], v_other - 1) = 1 or get_bit(v_sources_before[v_other], v_one - 1) = 1;
      v_new := least(v_family[v_one], v_family[v_other]);
      v_old := greatest(v_family[v_one], v_family[v_other]);
      v_family := array_replace(v_family, v_old, v_new);
      v_ends[v_new] := v_ends[v_new] | v_ends[v_old];
    end loop;
  end loop;

  while v_is_growing loop
    v_is_growing := false;
    for v_one in 1 .. v_count loop
      continue when v_family[v_one] <> v_one;
      v_bits := array[c_none, c_none];
      for v_other in 1 .. v_count loop
        continue when get_bit(v_ends[v_one], v_other - 1) = 0;
        v_bits[1] := v_bits[1] | v_targets_before[v_other];
        v_bits[2] := v_bits[2] | v_sources_before[v_other];
      end loop;
      v_targets_inside[v_one] := v_to_targets[v_one] & v_bits[1];
      v_sources_inside[v_one] := v_to_sources[v_one] & v_bits[2];
      for v_other in 1 .. v_count loop
        continue when v_family[v_other] <> v_other or get_bit(v_targets_inside[v_one], v_other - 1) = 0
          or p_targets[v_other] = p_targets[v_one] and v_ends[v_other] & v_sources_inside[v_one] = c_none
          or v_ends[v_other] & ~v_sources_inside[v_one] = c_none
          or v_ends[v_other] & ~v_ends[v_one] = c_none;
        v_ends[v_one] := v_ends[v_one] | v_ends[v_other];
        v_is_growing := true;
      end loop;
    end loop;
  end loop;

  select jsonb_agg(i.inside order by o.loop)
  into v_inside
  from generate_series(1, v_count) as o (loop)
  cross join lateral (
    select coalesce(jsonb_agg(l.loop order by l.loop), '[]') as inside
    from generate_series(1, v_count) as l (loop)
    where v_family[l.loop] = v_family[o.loop]
      or get_bit(v_targets_inside[v_family[o.loop]], v_family[l.loop] - 1) = 1
        and v_ends[v_family[l.loop]] & ~v_sources_inside[v_family[o.loop]] = c_none
  ) as i;
  select jsonb_agg(i.sharing order by o.loop)
  into v_sharing
  from generate_series(1, v_count) as o (loop)
  cross join lateral (
    select coalesce(jsonb_agg(l.loop order by l.loop), '[]') as sharing
    from generate_series(1, v_count) as l (loop)
    where v_sources_inside[v_family[l.loop]] & v_sources_inside[v_family[o.loop]] <> c_none
      and not v_inside -> (l.loop - 1) @> to_jsonb(o.loop) and not v_inside -> (o.loop - 1) @> to_jsonb(l.loop)
  ) as i;
  select jsonb_agg(i.beside order by o.loop)
  into v_beside
  from generate_series(1, v_count) as o (loop)
  cross join lateral (
    with recursive found as (
      select s::integer as loop from jsonb_array_elements_text(v_sharing -> (o.loop - 1)) as s
      union
      select n::integer from found as f
      cross join lateral (
        select jsonb_array_elements_text(v_sharing -> (f.loop - 1)) union all select jsonb_array_elements_text(v_inside -> (f.loop - 1))
      ) as x (n)
    )
    select coalesce(jsonb_agg(f.loop order by f.loop) filter (where f.loop <> o.loop), '[]') as beside from found as f
  ) as i;
end
$$;
