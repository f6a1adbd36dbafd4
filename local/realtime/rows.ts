// Turns the texts of the replication stream into JSON and decides filters, for many rows of one table in one statement.
import type postgres from "postgres";
import { type Filter, filterSql } from "./filters.ts";
import { quoted, type Table } from "./tables.ts";

/** A row as the stream has it: by column, in PostgreSQL's text form. Absent: not in the stream, as it did not change. */
export type Texts = Record<string, string | null | undefined>;

export interface Row {
  json: Record<string, unknown>;
  /** The texts of the filters that it passes. */
  passed: Set<string>;
}

/** A filter, with the places of the rows that it may look at: who asks with it sees them. */
export interface Question {
  filter: Filter;
  places: Set<number>;
}

const tells = (row: Texts | undefined, column: string): boolean =>
  row !== undefined && Object.hasOwn(row, column) && row[column] !== undefined;

/** In the order of the rows that were given. A filter is not even tried on a row that it may not look at. */
export async function readRows(
  sql: postgres.Sql,
  table: Table,
  rows: Texts[],
  questions: Question[],
): Promise<Row[]> {
  const values: string[] = [];
  const parameter = (value: string) => `($2::text::jsonb ->> ${values.push(value) - 1})`;
  const columns = table.columns.map(({ name, cast }, index) => `(e.v ->> ${index})::${cast} as ${quoted(name)}`);
  const types = new Map(table.columns.map(({ name, cast }) => [name, cast]));
  const hits = questions.map(({ filter, places }) => {
    const type = types.get(filter.column);
    if (type === undefined || places.size === 0) return "false";
    const hit = filterSql(filter, type, parameter);
    return places.size === rows.length
      ? hit
      : `case when e.n - 1 in (${[...places].join(", ")}) then ${hit} else false end`;
  });
  const text = `
    select to_jsonb(r) as json, array[${hits.join(", ")}]::boolean[] as hits
    from jsonb_array_elements($1::text::jsonb) with ordinality as e (v, n)
    cross join lateral (select ${columns.join(", ")}) as r
    where $2::text is not null
    order by e.n`;
  const given = rows.map((row) => table.columns.map(({ name }) => row[name] ?? null));
  const found = await sql.unsafe<{ json: Record<string, unknown>; hits: boolean[] }[]>(text, [
    JSON.stringify(given),
    JSON.stringify(values),
  ]);
  return found.map(({ json, hits }, index) => ({
    json: Object.fromEntries(Object.entries(json).filter(([name]) => tells(rows[index], name))),
    // What a column holds that the stream does not tell of, nobody knows: a null it is not.
    passed: new Set(
      questions.filter(({ filter }, place) => hits[place] && tells(rows[index], filter.column))
        .map(({ filter }) => filter.text),
    ),
  }));
}
