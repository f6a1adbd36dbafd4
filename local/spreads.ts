// A spread is a join in lite's statement, and the filters and the order behind it name columns alone: where the other table has
// one of that name, the database cannot tell which is meant. They are the first table's.

/** Texts, names, brackets and the words that a statement is divided by. */
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\b(?:select|from|where|order by)\b/g;

/** A statement of lite's, its filters with the table that they are of. */
export function ofFirstTable(statement: string): string {
  if (!statement.includes('"_spread_')) return statement;
  let depth = 0;
  /** At which depths a select inside brackets began. */
  const inner: number[] = [];
  let table: string | undefined;
  let isBehind = false;
  return statement.replaceAll(TOKEN, (token, at: number) => {
    if (token === "(") depth++;
    else if (token === ")") {
      if (inner.at(-1) === depth) inner.pop();
      depth--;
    } else if (token === "select" && depth > 0 && inner.at(-1) !== depth) inner.push(depth);
    else if (token === "from" && depth === 0) {
      table ??= /^from ("(?:[^"]|"")+"(?:\."(?:[^"]|"")+")?)/.exec(statement.slice(at))?.[1];
    } else if (/^(where|order by)$/.test(token) && depth === 0) isBehind = true;
    else if (token.startsWith('"') && isBehind && table && inner.length === 0) {
      const isWhole = statement[at - 1] !== "." && statement[at + token.length] !== ".";
      if (isWhole) return `${table}.${token}`;
    }
    return token;
  });
}
