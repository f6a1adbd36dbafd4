// Which of some rows a subscriber can see at this moment, decided by the policies of the table.
import type postgres from "postgres";
import type { Caller } from "../caller.ts";
import type { Texts } from "./rows.ts";
import { quoted, type Table } from "./tables.ts";

/** The places of the rows that the caller sees, by their primary key. */
export async function visibleTo(
  sql: postgres.Sql,
  caller: Caller,
  table: Table,
  rows: Texts[],
): Promise<Set<number>> {
  const key = table.columns.filter((column) => column.isKey);
  const match = key.map(({ name, cast }, index) => `t.${quoted(name)} = (e.v ->> ${index})::${cast}`).join(" and ");
  const keys = rows.map((row) => key.map(({ name }) => row[name] ?? null));
  const found = await sql.begin(async (tx) => {
    const claims = JSON.stringify(caller.claims);
    const sub = typeof caller.claims.sub === "string" ? caller.claims.sub : "";
    await tx`
      select set_config('role', ${caller.role}, true), set_config('request.jwt.claims', ${claims}, true),
        set_config('request.jwt.claim.sub', ${sub}, true), set_config('request.jwt.claim.role', ${caller.role}, true)`;
    // One look-up by the key for each row, whatever the planner thinks of their number.
    return await tx.unsafe<{ place: number }[]>(
      `select e.n::int - 1 as place from jsonb_array_elements($1::text::jsonb) with ordinality as e (v, n)
       cross join lateral (select from ${quoted(table.schema)}.${quoted(table.name)} as t where ${match} limit 1) as t`,
      [JSON.stringify(keys)],
    );
  });
  return new Set(found.map(({ place }) => place));
}
