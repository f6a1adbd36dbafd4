// Filters as PostgREST reads them. Lite takes a value for a number, a boolean, NULL or a list by its look, so that `eq.true`
// finds no text; of several filters of one kind on one column it keeps the last; and it compares what lies inside JSON by =
// alone. So every comparison reaches lite as `eq` of a word that stands for the operator and the value.
import { isOperator, Malformed } from "./malformed.ts";
import { isWord, wordFor } from "./meant.ts";
import { literal } from "./request_settings.ts";

const OPERATORS: Record<string, string | undefined> = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  like: "like",
  ilike: "ilike",
  match: "~",
  imatch: "~*",
  isdistinct: "is distinct from",
  cs: "@>",
  cd: "<@",
  ov: "&&",
  sl: "<<",
  sr: ">>",
  nxl: "&>",
  nxr: "&<",
  adj: "-|-",
  in: "= any",
};

const NO_FILTER = /^(apikey|select|columns|on_conflict)$|(^|\.)(order|limit|offset)$/;
const LOGIC = /^(not\.)?(and|or)$/;

/** The parts of a list that lie between its commas, and not in quotes or brackets. */
export function partsOf(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const [token] of text.matchAll(/(?<=^|[\s.,:>([{])"(?:[^"\\]|\\.)*"|./gs)) {
    if (token === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += token;
    if (token === "(" || token === "{") depth++;
    if (token === ")" || token === "}") depth = Math.max(0, depth - 1);
  }
  return parts;
}

/** A value in a list or a tree may stand in quotes, to hold what would end it. */
function unquoted(text: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text)?.[1];
  return quoted === undefined ? text : quoted.replaceAll(/\\(.)/gs, "$1");
}

const arrayOf = (values: string[]) => `{${values.map((value) => `"${value.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`;

function listOf(text: string): string[] {
  return text === "" ? [] : [...text.matchAll(/("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)/gs)]
    .slice(0, text.endsWith(",") ? undefined : -1).map(([, value]) => unquoted(value));
}

const isComparison = (name: string) => OPERATORS[name] !== undefined;

/** An operator with nothing behind it is one that compares with nothing, for lite. @throws {Malformed} */
function checkFilter(text: string): void {
  if (!isOperator(text.replace(/^not\./, ""), isComparison)) return;
  throw new Malformed("filter", text, text.length + 1, "unexpected end of input expecting delimiter (.)");
}

/** @throws {Malformed} for a tree with a branch that is none, which lite would name in its own words, or take for a column */
function checkTree(text: string, whole = text, before = 0): void {
  const [, open = "", inner] = /^(\s*\()(.*)\)\s*$/s.exec(text) ?? [];
  if (inner === undefined) return;
  let at = before + open.length;
  for (const part of partsOf(inner)) {
    const [, logic, deeper = ""] = /^(\s*(?:not\.)?(?:and|or)\s*)(\(.*\)\s*)$/s.exec(part) ?? [];
    const [, name, value] = /^\s*(?:"[^"]*"|[^".()])+\.(?:not\.)?([^.(]+(?:\([^)]*\))?)(\..*)?$/s.exec(part) ?? [];
    if (logic !== undefined) checkTree(deeper, whole, at + logic.length);
    else if (value === undefined || !isOperator(name ?? "", isComparison)) {
      const found = part.trim() === "" ? whole[at + part.length] ?? "end of input" : part.trim()[0];
      const expected = "field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)";
      throw new Malformed("logic tree", whole, at + 1, `unexpected ${JSON.stringify(found)} expecting ${expected}`);
    }
    at += part.length + 1;
  }
}

/** The parts of a comparison, in SQL behind its column. What is no comparison (`is`, searches of text, mistakes) has none. */
function compared(text: string, inTree: boolean): { not: string; sql: string } | undefined {
  const [, not = "", name = "", quantifier, rest = ""] = /^(not\.)?(\w+)(?:\((any|all)\))?\.(.*)$/s.exec(text) ?? [];
  const operator = OPERATORS[name];
  const list = name === "in" ? /^\((.*)\)$/s.exec(rest)?.[1] : undefined;
  const isNone = operator === undefined || (name === "in" && list === undefined);
  // No statement holds a NUL; as a parameter the database refuses it.
  if (isNone || text.includes("\0") || isWord(rest)) return undefined;
  const value = list !== undefined ? arrayOf(listOf(list)) : inTree ? unquoted(rest) : rest;
  const pattern = name.endsWith("like") ? value.replaceAll("*", "%") : value;
  return { not, sql: `${operator} ${quantifier ?? ""}(${literal(pattern)})` };
}

/** What a filter without `not.` says of its column, in SQL. */
export const comparisonSql = (text: string): string | undefined => compared(text, false)?.sql;

/** `operator.value`, as lite understands it. */
function comparison(text: string, inTree = false): string {
  const said = compared(text, inTree);
  return said === undefined ? text : `${said.not}eq.${wordFor(said.sql)}`;
}

/** `(a.eq.1,or(…))` */
function tree(text: string): string {
  const inner = /^\s*\((.*)\)\s*$/s.exec(text)?.[1];
  return inner === undefined ? text : `(${partsOf(inner).map((part) => branch(part.trimStart())).join(",")})`;
}

function branch(text: string): string {
  const [, logic, inner = ""] = /^((?:not\.)?(?:and|or))\s*(\(.*\))\s*$/s.exec(text) ?? [];
  if (logic !== undefined) return logic + tree(inner);
  const [, column, rest = ""] = /^((?:"[^"]*"|[^".])+)\.(.*)$/s.exec(text) ?? [];
  return column === undefined ? text : `${column}.${comparison(rest, true)}`;
}

function plain(asked: URLSearchParams, isArgument: (name: string) => boolean): URLSearchParams {
  const params = new URLSearchParams();
  for (const key of new Set(asked.keys())) {
    const values = asked.getAll(key);
    const argument = isArgument(key) ? values.at(-1) : undefined;
    if (argument !== undefined) {
      params.append(key, argument.includes("\0") ? argument : wordFor(`(${literal(argument)})`));
      continue;
    }
    if (NO_FILTER.test(key)) {
      for (const value of values) params.append(key, value);
      continue;
    }
    // The columns of embedded resources have their names in front.
    const [, path = "", name = ""] = /^((?:(?!not\.(?:and|or)$)[\w$]+\.)*)(.*)$/s.exec(key) ?? [];
    const isLogic = LOGIC.test(name);
    for (const value of values) isLogic ? checkTree(value) : checkFilter(value);
    const filters = values.map((value) => isLogic ? tree(value) : comparison(value));
    // Of `not.and` and `not.or`, too, lite keeps one.
    if (filters.length === 1 && !name.startsWith("not.")) params.append(key, filters[0]);
    else params.append(`${path}and`, `(${filters.map((filter) => name + (isLogic ? "" : ".") + filter).join(",")})`);
  }
  return params;
}

/**
 * The request with filters that lite reads as PostgREST would.
 * @param isArgument whether a parameter of the URL is one of the function's that is called
 */
export function withPlainFilters(request: Request, isArgument: (name: string) => boolean): Request {
  const url = new URL(request.url);
  // Lite compares a PUT's filters with its body.
  if (url.search === "" || request.method === "PUT") return request;
  url.search = plain(url.searchParams, isArgument).toString();
  const { method, headers, body } = request;
  return new Request(url, { method, headers, body });
}
