// Reads a batch of changes with the filters of all who listen, in one statement. Where that fails, or takes too long, it
// finds out whose filter it was: nobody else loses a change by it.
import postgres from "postgres";
import { isOutOfReach } from "./out_of_reach.ts";
import { type Question, readRows, type Row, type Texts } from "./rows.ts";
import type { Table } from "./tables.ts";

export interface Connections {
  sql: postgres.Sql;
  /** On these no statement takes long, whatever a filter asks for. */
  limited: postgres.Sql;
}

export interface Reading {
  /** In the order of those that were given; without those that the table, as it is now, cannot hold. */
  rows: (Row | undefined)[];
  /** Why a filter could not be decided, by its text. */
  failures: Map<string, string>;
}

/** Throws where the database itself is out of reach. */
export async function readBatch(
  { sql, limited }: Connections,
  table: Table,
  texts: Texts[],
  questions: Question[],
): Promise<Reading> {
  const failures = new Map<string, string>();
  try {
    return { rows: await readRows(questions.length > 0 ? limited : sql, table, texts, questions), failures };
  } catch (thrown) {
    reasonOf(thrown);
  }
  const rows = await readUnfiltered(sql, table, texts);
  await Promise.all(questions.map(async ({ filter, places: asked }) => {
    const places = [...asked].filter((place) => rows[place]);
    const columns = table.columns.filter(({ name }) => name === filter.column);
    try {
      const its = places.map((place) => texts[place] ?? {});
      const alone = await readRows(limited, { ...table, columns }, its, [{ filter, places: new Set(its.keys()) }]);
      for (const [index, place] of places.entries()) {
        if (alone[index]?.passed.has(filter.text)) rows[place]?.passed.add(filter.text);
      }
    } catch (thrown) {
      failures.set(filter.text, reasonOf(thrown));
    }
  }));
  return { rows, failures };
}

async function readUnfiltered(sql: postgres.Sql, table: Table, texts: Texts[]): Promise<(Row | undefined)[]> {
  try {
    return await readRows(sql, table, texts, []);
  } catch (thrown) {
    reasonOf(thrown);
  }
  return await Promise.all(texts.map((text) =>
    readRows(sql, table, [text], []).then(([row]) => row).catch((thrown) => {
      reasonOf(thrown);
      return undefined;
    })
  ));
}

/** What is wrong with a statement. Throws what is no statement's fault: a connection that ended, a server that stops. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof postgres.PostgresError && !isOutOfReach(thrown)) return thrown.message;
  throw thrown;
}
