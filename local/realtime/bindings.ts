// What one entry of `postgres_changes` listens to, checked against the database when its channel subscribes.
import postgres from "postgres";
import { endsInEscape, type Filter, probeSql, readFilters } from "./filters.ts";
import type { Column, Tables } from "./tables.ts";

export type ChangeType = "INSERT" | "UPDATE" | "DELETE";

export interface Binding {
  id: number;
  event: string;
  schema: string;
  /** Every table of the schema, when absent. */
  table?: string;
  filters: Filter[];
  /** The columns to be sent besides the key. */
  select?: string[];
}

const QUERY_CANCELED = "57014";

let lastId = 0;
/** Clients tell bindings apart by it. */
export const nextBindingId = (): number => ++lastId;

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

/** Undefined where nothing was said. Throws an Error whose message is for the client. */
function readText(entry: Record<string, unknown>, name: string): string | undefined {
  const value = entry[name];
  if (isAbsent(value)) return undefined;
  if (typeof value === "string") return value;
  throw new Error(`Error parsing \`${name}\` params: a text is expected`);
}

function readSelect(value: unknown): string[] | undefined {
  if (typeof value === "string") {
    throw new Error(
      'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]',
    );
  }
  const names = Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
  return names.length > 0 ? names : undefined;
}

/** Reads an entry. Throws an Error whose message is for the client. */
export function readBinding(entry: Record<string, unknown>, id: number): Binding {
  const asked = typeof entry.event === "string" ? entry.event.toUpperCase() : "";
  const event = ["INSERT", "UPDATE", "DELETE"].includes(asked) ? asked : "*";
  const [named, schema = "public"] = [readText(entry, "table"), readText(entry, "schema")];
  const table = named === "*" ? undefined : named;
  if (named === undefined && isAbsent(entry.schema)) {
    throw new Error("No subscription params provided. Please provide at least a `schema` or `table` to subscribe to");
  }
  const isOneTable = table !== undefined && schema !== "*";
  const filters = readFilters(readText(entry, "filter") ?? "");
  if (filters.length > 0 && !isOneTable) throw new Error("A `filter` needs a `schema` and a `table`");
  const select = readSelect(entry.select);
  if (select && !isOneTable) {
    throw new Error(
      "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name.",
    );
  }
  return { id, event, schema, table, filters, select };
}

/** Whether a binding listens to changes of that kind in that table; its filters are another matter. */
export function concerns(binding: Binding, schema: string, table: string, type: ChangeType): boolean {
  return (binding.event === "*" || binding.event === type) && (binding.schema === "*" || binding.schema === schema) &&
    (binding.table === undefined || binding.table === table);
}

/**
 * Throws an Error whose message is for the client when nothing could ever arrive, or a filter does not fit.
 *
 * @param limited connections on which no statement takes long, whatever a filter asks for
 */
export async function checkBinding(
  binding: Binding,
  role: string,
  tables: Tables,
  limited: postgres.Sql,
): Promise<void> {
  const { schema, table, filters, select = [] } = binding;
  if (!await tables.isPublished(schema, table)) {
    throw new Error(
      "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect " +
        `parameters: [schema: ${schema}, table: ${table ?? "*"}, filters: ${filters.map((each) => each.column)}]`,
    );
  }
  if (table === undefined || schema === "*") return;
  const columns = await tables.columns(schema, table);
  for (const name of select) readable(columns, name, role);
  for (const filter of filters) await checkFilter(filter, readable(columns, filter.column, role).cast, limited);
}

/** The database is asked: it knows which operators a type has, and what a pattern is. */
async function checkFilter(filter: Filter, type: string, limited: postgres.Sql): Promise<void> {
  const wrong = (why: string) => new Error(`invalid value for filter ${filter.column}: ${why}`);
  if (endsInEscape(filter)) throw wrong("LIKE pattern must not end with escape character");
  try {
    const values: string[] = [];
    const probe = probeSql(filter, type, (value) => `($1::text::jsonb ->> ${values.push(value) - 1})`);
    const ask = () => limited.unsafe(`${probe} where $1::text is not null`, [JSON.stringify(values)]);
    // The limit counts the time of a machine that stands still, too: a filter is too slow when it is so twice.
    await ask().catch((thrown) => thrown.code === QUERY_CANCELED ? ask() : Promise.reject(thrown));
  } catch (thrown) {
    if (!(thrown instanceof postgres.PostgresError)) throw thrown;
    throw wrong(thrown.message);
  }
}

function readable(columns: Column[], name: string, role: string): Column {
  const column = columns.find((each) => each.name === name);
  if (!column?.readers.includes(role)) throw new Error(`invalid column for filter ${name}`);
  return column;
}
