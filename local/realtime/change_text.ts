// What one role is told of a change: the columns it may select, within the limits that the platform has.
import type { Change } from "./changes.ts";
import type { Table } from "./tables.ts";

const MAX_RECORD_BYTES = 1_048_576;
const MAX_VALUE_BYTES = 64;

interface Telling {
  table: Table;
  change: Change;
  row: Record<string, unknown>;
  old: Record<string, unknown>;
  role: string;
  /** The columns asked for; the key comes along. */
  select?: string[];
}

/** The `data` of a postgres_changes message, as JSON text. */
export function changeText({ table, change, row, old, role, select }: Telling): string {
  const key = table.columns.filter((column) => column.isKey);
  const told = {
    schema: change.schema,
    table: change.table,
    type: change.type,
    commit_timestamp: change.committedAt,
  };
  const failed = (error: string) =>
    JSON.stringify({ ...told, columns: [], record: {}, old_record: {}, errors: [error] });
  if (change.type !== "DELETE" && key.length === 0) return failed("Error 400: Bad Request, no primary key");
  if (!key.every((column) => column.readers.includes(role))) return failed("Error 401: Unauthorized");

  const columns = table.columns.filter(({ name, isKey, readers }) =>
    readers.includes(role) && (!select || isKey || select.includes(name))
  );
  // With row level security nobody knows who could see the row that is gone: the key says no more than that it is.
  const oldColumns = change.type === "DELETE" && table.hasRls ? key : columns;
  const pick = (from: Record<string, unknown>, among: typeof columns) =>
    Object.fromEntries(among.filter(({ name }) => name in from).map(({ name }) => [name, from[name]]));
  const write = (isSmall: (value: unknown) => boolean, errors: string[] | null) => {
    const cut = (values: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(values).filter(([, value]) => isSmall(value)));
    return JSON.stringify({
      ...told,
      columns: columns.map(({ name, type }) => ({ name, type })),
      ...(change.type !== "DELETE" && { record: cut(pick(row, columns)) }),
      ...(change.type !== "INSERT" && { old_record: cut(pick(old, oldColumns)) }),
      errors,
    });
  };
  const whole = write(() => true, null);
  if (whole.length <= MAX_RECORD_BYTES) return whole;
  return write((value) => JSON.stringify(value).length <= MAX_VALUE_BYTES, ["Error 413: Payload Too Large"]);
}
