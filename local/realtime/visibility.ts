// Which of some rows each of some subscribers can see at this moment, decided by the policies of the table.
import postgres from "postgres";
import type { Caller } from "../caller.ts";
import { isOutOfReach } from "./out_of_reach.ts";
import type { Texts } from "./rows.ts";
import { quoted, type Table } from "./tables.ts";

/**
 * The places of the rows that a caller sees, for each caller in the given order; nobody's where a policy fails. Throws
 * where the database is out of reach, where the table has changed and, unless it is the last time of asking, where
 * another time may answer.
 */
export async function visibleTo(
  sql: postgres.Sql,
  callers: Caller[],
  table: Table,
  rows: Texts[],
  isLast: boolean,
): Promise<Set<number>[]> {
  if (callers.length === 0) return [];
  const isAnswer = (thrown: unknown) => !isOutOfReach(thrown) && !isOfStatement(thrown) && (isLast || !mayPass(thrown));
  const key = table.columns.filter((column) => column.isKey);
  const match = key.map(({ name, cast, now = { name, cast } }, index) =>
    `t.${quoted(now.name)} = (e.v ->> ${index})::${now.cast}`
  ).join(" and ");
  const keys = JSON.stringify(rows.map((row) => key.map(({ name }) => row[name] ?? null)));
  // One look-up by the key for each row, whatever the planner thinks of their number.
  const text = `
    select e.n::int - 1 as place from jsonb_array_elements($1::text::jsonb) with ordinality as e (v, n)
    cross join lateral (select from ${quoted(table.schema)}.${quoted(table.name)} as t where ${match} limit 1) as t`;
  try {
    return await ask(sql, callers, text, keys);
  } catch (thrown) {
    // A policy fails for somebody: the others are asked without them, who sees nothing.
    if (!isAnswer(thrown)) throw thrown;
    if (callers.length === 1) return [new Set()];
    return await Promise.all(callers.map(async (caller) => {
      const [seen = new Set<number>()] = await ask(sql, [caller], text, keys).catch((failed) => {
        if (!isAnswer(failed)) throw failed;
        return [];
      });
      return seen;
    }));
  }
}

/** The statement itself names a column or a table that is not there any more; in a policy it would be another's text. */
const isOfStatement = (thrown: unknown): boolean =>
  thrown instanceof postgres.PostgresError && thrown.position !== undefined && !thrown.internal_query;

/** The same of what policies look at, or a transaction in whose way it stood. A policy may say so for good. */
const mayPass = (thrown: unknown): boolean =>
  /^(40|42|55|XX)/.test(String((thrown as { code?: unknown } | null)?.code ?? ""));

/** All in one transaction, whose statements go out in this order without waiting for each other, planned once. */
async function ask(sql: postgres.Sql, callers: Caller[], text: string, keys: string): Promise<Set<number>[]> {
  const answers = await sql.begin((tx) =>
    callers.flatMap(({ role, claims }) => [
      tx`select set_config('role', ${role}, true), set_config('request.jwt.claims', ${JSON.stringify(claims)}, true),
        set_config('request.jwt.claim.sub', ${typeof claims.sub === "string" ? claims.sub : ""}, true),
        set_config('request.jwt.claim.role', ${role}, true)`,
      tx.unsafe<{ place: number }[]>(text, [keys], { prepare: true }),
    ])
  );
  return callers.map((_, index) =>
    new Set((answers[2 * index + 1] as { place: number }[] | undefined)?.map(({ place }) => place))
  );
}
