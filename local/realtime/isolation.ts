// Reads a batch of changes with the filters of all who listen, in one statement. Where that fails, or takes too long, it
// finds out whose filter it was: nobody else loses a change by it.
import postgres from "postgres";
import type { Filter } from "./filters.ts";
import { isOutOfReach } from "./out_of_reach.ts";
import { type Question, readRows, type Row, type Texts } from "./rows.ts";
import type { Table } from "./tables.ts";

export interface Connections {
  sql: postgres.Sql;
  /** On these no statement takes long, whatever a filter asks for. */
  limited: postgres.Sql;
}

/** A filter, with the places of the rows that each person who asks with it sees. */
export interface Asked {
  filter: Filter;
  places: Map<string, Set<number>>;
}

export interface Reading {
  /** In the order of those that were given; without those that the table, as it is now, cannot hold. */
  rows: (Row | undefined)[];
  /** Why a filter could not be decided, by person and its text. */
  failures: Map<string, Map<string, string>>;
}

const QUERY_CANCELED = "57014";

/** Throws where the database itself is out of reach. */
export async function readBatch(
  { sql, limited }: Connections,
  table: Table,
  texts: Texts[],
  asked: Asked[],
): Promise<Reading> {
  const questions = asked.map(({ filter, places }): Question => ({
    filter,
    places: new Set([...places.values()].flatMap((each) => [...each])),
  }));
  try {
    const rows = await readRows(questions.length > 0 ? limited : sql, table, texts, questions);
    return { rows, failures: new Map() };
  } catch (thrown) {
    reasonOf(thrown);
  }
  const rows = await readUnfiltered(sql, table, texts);
  const persons = new Map<string, Question[]>();
  for (const { filter, places } of asked) {
    for (const [person, its] of places) persons.set(person, [...persons.get(person) ?? [], { filter, places: its }]);
  }
  const failures = await Promise.all(
    [...persons].map(async ([person, its]) => [person, await decideAlone(limited, table, texts, rows, its)] as const),
  );
  return { rows, failures: new Map(failures) };
}

/**
 * Decides one person's filters, and answers those that could not be. Each by itself until one takes too long, then those
 * that are left together: however many somebody has of the kind, they are waited for twice.
 */
async function decideAlone(
  limited: postgres.Sql,
  table: Table,
  texts: Texts[],
  rows: (Row | undefined)[],
  questions: Question[],
): Promise<Map<string, string>> {
  const failures = new Map<string, string>();
  let isLate = false;
  for (let start = 0; start < questions.length;) {
    const some = questions.slice(start, isLate ? undefined : start + 1);
    start += some.length;
    try {
      await decide(limited, table, texts, rows, some);
    } catch (thrown) {
      const why = reasonOf(thrown);
      isLate ||= thrown instanceof postgres.PostgresError && thrown.code === QUERY_CANCELED;
      for (const { filter } of some) failures.set(filter.text, why);
    }
  }
  return failures;
}

/** Notes with the rows which filters they pass; the columns of those alone are read. */
async function decide(
  limited: postgres.Sql,
  table: Table,
  texts: Texts[],
  rows: (Row | undefined)[],
  questions: Question[],
): Promise<void> {
  const places = [...rows.keys()].filter((place) => rows[place] && questions.some((each) => each.places.has(place)));
  const columns = table.columns.filter(({ name }) => questions.some(({ filter }) => filter.column === name));
  const among = questions.map(({ filter, places: its }): Question => ({
    filter,
    places: new Set(places.flatMap((place, index) => its.has(place) ? [index] : [])),
  }));
  const decided = await readRows(limited, { ...table, columns }, places.map((place) => texts[place] ?? {}), among);
  for (const [index, place] of places.entries()) {
    for (const text of decided[index]?.passed ?? []) rows[place]?.passed.add(text);
  }
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
