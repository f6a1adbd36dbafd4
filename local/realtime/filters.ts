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

const OPERATORS = new Map(Object.entries({
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
}));
/** These compare text, whatever the column holds. */
const ON_TEXT = new Set(["like", "ilike", "~", "~*"]);
const IS_VALUES = new Set(["null", "not_null", "true", "false", "unknown"]);
const MAX_IN_VALUES = 100;

/** A quote is one where a value begins; anywhere else it is a character like others. */
const BEFORE_QUOTE = [".", "(", ","];

/**
 * Splits at the commas that stand outside of quotes and, where they nest, of parentheses. A backslash within quotes takes
 * the next character along.
 */
function splitAtCommas(text: string, nests: boolean): string[] {
  const parts = [""];
  let depth = 0;
  let isQuoted = false;
  let isEscaped = false;
  let before = ",";
  for (const character of text) {
    if (isEscaped) isEscaped = false;
    else if (isQuoted && character === "\\") isEscaped = true;
    else if (character === '"' && (isQuoted || BEFORE_QUOTE.includes(before))) isQuoted = !isQuoted;
    else if (!isQuoted && nests && character === "(") depth++;
    else if (!isQuoted && nests && character === ")") depth = Math.max(0, depth - 1);
    if (character === "," && depth === 0 && !isQuoted) parts.push("");
    else parts[parts.length - 1] += character;
    if (nests || character !== " ") before = character;
  }
  return parts;
}

/** What a value in quotes says; any other says what it is. */
const unquote = (text: string): string =>
  /^"(?:[^"\\]|\\.)*"$/s.test(text) ? text.slice(1, -1).replace(/\\(.)/gs, "$1") : text;

/** Throws an Error whose message is for the client. */
export function readFilters(text: string): Filter[] {
  if (text.trim() === "") return [];
  return splitAtCommas(text.trim(), true).map((untrimmed) => {
    const part = untrimmed.trim();
    const [, column, not, name = "", value = ""] = /^([^=]+)=(not\.)?([a-z]+)\.(.*)$/s.exec(part) ?? [];
    const operator = OPERATORS.get(name);
    if (column === undefined || operator === undefined) throw new Error(`Error parsing \`filter\` params: ["${part}"]`);
    return { text: part, column, operator, isNegated: not !== undefined, values: readValues(operator, value, part) };
  });
}

function readValues(operator: string, text: string, part: string): string[] {
  if (operator !== "in") {
    const value = unquote(text);
    if (operator === "is" && !IS_VALUES.has(value)) throw new Error(`Error parsing \`filter\` params: ["${part}"]`);
    return [value];
  }
  const list = /^\((.*)\)$/s.exec(text)?.[1];
  if (list === undefined) throw new Error(`\`in\` filter must have a list in parentheses: ["${part}"]`);
  const values = splitAtCommas(list, false).map((each) => unquote(each.trim()));
  if (values.length > MAX_IN_VALUES) throw new Error(`\`in\` filter takes at most ${MAX_IN_VALUES} values`);
  return values;
}

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

/**
 * SQL that fails where the filter could: no such operator for the type, a value that is none of it, a pattern that does
 * not compile.
 */
export function probeSql(filter: Filter, type: string, parameter: (value: string) => string): string {
  // A pattern is compiled only to be compared with something.
  const isPattern = ON_TEXT.has(filter.operator);
  const column = `"${filter.column.replaceAll('"', '""')}"`;
  // Without the offset the null is seen through, and the value never looked at.
  return `select ${filterSql(filter, type, parameter)}
    from (select ${isPattern ? "''" : "null"}::${isPattern ? "text" : type} as ${column} offset 0) as r`;
}

/** Of `like`: it is noticed only where a text matches up to there. */
export const endsInEscape = ({ operator, values }: Filter): boolean =>
  (operator === "like" || operator === "ilike") && /(?<!\\)(\\\\)*\\$/.test(values[0] ?? "");
