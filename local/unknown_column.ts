// A column that there is not. PostgreSQL names it as the statement did, and PostgREST's statements name its table with it:
// `column things.nope does not exist`, for embedded rows by the name that they have in the statement, `parts_1.nope`.
import type { PostgresConnection } from "@supabase/lite/postgres";
import { EMBEDDING, rootOf, tableNamed } from "./embeddings.ts";
import { partsOf } from "./filters.ts";
import type { DatabaseError } from "./postgrest_errors.ts";

type Introspection = Awaited<ReturnType<PostgresConnection["introspect"]>>;

/** One table of the statement, and which of its columns are asked for. */
interface Place {
  table: string | undefined;
  /** What the statement calls it. */
  called: string;
  /** What stands before the names of its filters: the embeddings around it, as they are named in the answer, or by table. */
  paths: string[];
  names: string[];
}

const plain = (name: string) => name.trim().replace(/^"(.*)"$/s, "$1");
const beforePath = (text: string) => plain(text.replace(/(->|::).*$/s, ""));

function placesIn(select: string, place: Place, known: Introspection, depth = 0): Place[] {
  const places = [place];
  for (const part of partsOf(select)) {
    const [, before = "", name = "", , open, inner = ""] = EMBEDDING.exec(part) ?? [];
    if (open === undefined) {
      place.names.push(beforePath(part.replace(/^\s*("[^"]*"|[^":]+):(?!:)/, "")));
      continue;
    }
    const table = place.table === undefined ? undefined : tableNamed(known, place.table, name);
    const alias = plain(before.replace(/^\s*\.\.\./, "").replace(/\s*:\s*$/, ""));
    const paths = place.paths.flatMap((path) => [name, alias].filter(Boolean).map((own) => `${path}${own}.`));
    const called = `${table ?? name}_${depth + 1}`;
    places.push(...placesIn(inner, { table, called, paths, names: [] }, known, depth + 1));
  }
  return places;
}

/** The columns that a parameter asks for, and what stands before its name. */
function asked(key: string, value: string): { path: string; names: string[] } {
  const [, path = "", name = ""] = /^((?:(?!not\.(?:and|or)$)[\w$]+\.)*)(.*)$/s.exec(key) ?? [];
  if (/^(not\.)?(and|or)$/.test(name)) {
    // Without brackets it is read as a filter: `or=id.eq.1` as one of a column called `orid`.
    if (!/^\s*\(/.test(value)) return { path, names: [beforePath(name + value.replace(/\..*$/s, ""))] };
    const names = value.matchAll(/(?<=[(,])\s*(?:not\.)?("[^"]*"|[^"(),.]+)\./g);
    return { path, names: names.map(([, column]) => beforePath(column)).toArray() };
  }
  if (name !== "order") return { path, names: [beforePath(name)] };
  return { path, names: partsOf(value).map((term) => beforePath(term.replace(/\.[^"]*$/, ""))) };
}

/** The error as PostgREST's statement would have met it. */
export function located(error: DatabaseError, { url }: Request, known: Introspection): DatabaseError {
  const [, found] = /^column "((?:[^"]|"")+)" does not exist$/.exec(error.message) ?? [];
  const { pathname, searchParams } = new URL(url);
  const root = rootOf(known, pathname);
  if (error.code !== "42703" || found === undefined || root === undefined) return error;
  const called = pathname.includes("/rpc/") ? "pgrst_call" : root;
  const places = placesIn(searchParams.get("select") ?? "*", { table: root, called, paths: [""], names: [] }, known);
  for (const [key, value] of searchParams) {
    const { path, names } = asked(key, value);
    for (const place of places) if (place.paths.includes(path)) place.names.push(...names);
  }
  const name = found.replaceAll('""', '"');
  const isThere = (table?: string) =>
    known.columns.some((column) => column.schema === "public" && column.table === table && column.name === name);
  const place = places.find(({ table, names }) => names.includes(name) && !isThere(table));
  if (!place) return error;
  // PostgreSQL quotes neither of two names. Its hint is of the tables in lite's statement.
  const hint = place === places[0] ? error.hint : undefined;
  return { ...error, hint, message: `column ${place.called}.${name} does not exist` };
}
