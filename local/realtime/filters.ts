// Filters of postgres_changes: `status=eq.done,priority=not.lt.5`, read once and then decided by PostgreSQL itself, so
// that they mean exactly what its operators mean.

export interface Filter {
  /** As it was written; the same text means the same to every subscriber of a table. */
  text: string;
  column: string;
  /** What stands between the column and its values, e.g. `=`. */
  operator: string;
  isNegated: boolean;
  values: string[];
}

const OPERATORS: Record<string, string> = {
  eq: "=",
  neq: "<>",
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">=",
  in: "in",
  like: "like",
  ilike: "ilike",
  match: "~",
  imatch: "~*",
  is: "is",
  isdistinct: "is distinct from",
};
/** These compare text, whatever the column holds. */
const ON_TEXT = new Set(["like", "ilike", "~", "~*"]);
const IS_VALUES = new Set(["null", "not_null", "true", "false", "unknown"]);
const MAX_IN_VALUES = 100;

/** Splits at the commas that stand outside of parentheses and double quotes. */
function splitAtCommas(text: string): string[] {
  const parts = [""];
  let depth = 0;
  let isQuoted = false;
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    if (!isQuoted && character === "(") depth++;
    if (!isQuoted && character === ")") depth--;
    if (character === "," && depth === 0 && !isQuoted) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}

const unquote = (text: string): string => /^".*"$/s.test(text) ? text.slice(1, -1) : text;

/** Throws an Error whose message is for the client. */
export function readFilters(text: string): Filter[] {
  return splitAtCommas(text).map((part) => {
    const [, column, not, name = "", value = ""] = /^([^=]+)=(not\.)?([a-z]+)\.(.*)$/s.exec(part.trim()) ?? [];
    const operator = OPERATORS[name];
    if (column === undefined || operator === undefined) throw new Error(`Error parsing \`filter\` params: ["${part}"]`);
    return { text: part, column, operator, isNegated: not !== undefined, values: readValues(operator, value, part) };
  });
}

function readValues(operator: string, value: string, part: string): string[] {
  if (operator === "is" && !IS_VALUES.has(value)) throw new Error(`Error parsing \`filter\` params: ["${part}"]`);
  if (operator !== "in") return [value];
  const list = /^\((.*)\)$/s.exec(value)?.[1];
  if (list === undefined) throw new Error(`\`in\` filter must have a list in parentheses: ["${part}"]`);
  const values = splitAtCommas(list).map((each) => unquote(each.trim()));
  if (values.length > MAX_IN_VALUES) throw new Error(`\`in\` filter takes at most ${MAX_IN_VALUES} values`);
  return values;
}

/** Whether the values have to be of the column's type. */
export const comparesValues = ({ operator }: Filter): boolean => operator !== "is" && !ON_TEXT.has(operator);

/**
 * The filter as SQL over a row `r`; unknown counts as no match, also when negated.
 *
 * @param parameter gives the SQL that reads one of the values, as text
 */
export function filterSql(filter: Filter, type: string, parameter: (value: string) => string): string {
  const { operator, isNegated, values } = filter;
  const column = `r."${filter.column.replaceAll('"', '""')}"`;
  const [first = ""] = values;
  const sql = operator === "is"
    ? `${column} is ${first === "not_null" ? "not null" : first}`
    : operator === "in"
    ? `${column} in (${values.map((value) => `(${parameter(value)})::${type}`).join(", ")})`
    : ON_TEXT.has(operator)
    ? `${column}::text ${operator} ${parameter(first)}`
    : `${column} ${operator} (${parameter(first)})::${type}`;
  return `coalesce(${isNegated ? `not (${sql})` : sql}, false)`;
}
