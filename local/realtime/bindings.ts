// What one entry of `postgres_changes` listens to, checked against the database when its channel subscribes.
import postgres from "postgres";
import { comparesValues, type Filter, readFilters } from "./filters.ts";
import type { Table, Tables } from "./tables.ts";

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

let lastId = 0;
/** Clients tell bindings apart by it. */
export const nextBindingId = (): number => ++lastId;

const asText = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" && value !== "*" ? value : undefined;

/** Reads an entry. Throws an Error whose message is for the client. */
export function readBinding(entry: Record<string, unknown>, id: number): Binding {
  const schema = typeof entry.schema === "string" ? entry.schema : "";
  const event = typeof entry.event === "string" ? entry.event.toUpperCase() : "";
  const table = asText(entry.table);
  if (!schema || !["*", "INSERT", "UPDATE", "DELETE"].includes(event)) {
    throw new Error("No subscription params provided. Please provide at least a `schema` or `table` to subscribe to");
  }
  const filter = asText(entry.filter);
  if (filter !== undefined && (schema === "*" || table === undefined)) {
    throw new Error("A `filter` needs a `schema` and a `table`");
  }
  const select = Array.isArray(entry.select) ? entry.select.filter((name) => typeof name === "string") : undefined;
  return { id, event, schema, table, filters: filter === undefined ? [] : readFilters(filter), select };
}

/** Whether a binding listens to changes of that kind in that table; its filters are another matter. */
export function concerns(binding: Binding, schema: string, table: string, type: ChangeType): boolean {
  return (binding.event === "*" || binding.event === type) && (binding.schema === "*" || binding.schema === schema) &&
    (binding.table === undefined || binding.table === table);
}

/** Throws an Error whose message is for the client when nothing could ever arrive, or a filter does not fit. */
export async function checkBinding(binding: Binding, role: string, tables: Tables, sql: postgres.Sql): Promise<void> {
  const { schema, table, filters, select = [] } = binding;
  if ((await tables.published(schema, table)).length === 0) {
    throw new Error(
      "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect " +
        `parameters: [schema: ${schema}, table: ${table ?? "*"}, filters: ${filters.map((each) => each.column)}]`,
    );
  }
  if (table === undefined || schema === "*") return;
  const known = await tables.read(schema, table);
  for (const name of [...select, ...filters.map((filter) => filter.column)]) readable(known, name, role);
  for (const filter of filters.filter(comparesValues)) {
    const { cast } = readable(known, filter.column, role);
    try {
      for (const value of filter.values) await sql.unsafe(`select $1::text::${cast}`, [value]);
    } catch (thrown) {
      if (!(thrown instanceof postgres.PostgresError)) throw thrown;
      throw new Error(`invalid value for filter ${filter.column}: ${thrown.message}`);
    }
  }
}

function readable(table: Table, name: string, role: string) {
  const column = table.columns.find((each) => each.name === name);
  if (!column?.readers.includes(role)) throw new Error(`invalid column for filter ${name}`);
  return column;
}
