// What lies between two tables, as PostgREST sees it: foreign keys, and tables between whose primary key holds one to each side.
// For lite any table with two foreign keys is one, so that most embeddings were ambiguous, and some possible that are not on
// the platform. Where PostgREST sees one way, lite is told it by a hint.
import type { PostgresConnection } from "@supabase/lite/postgres";
import { partsOf } from "./filters.ts";
import { Refused } from "./postgrest_errors.ts";

type Introspection = Awaited<ReturnType<PostgresConnection["introspect"]>>;

/** No relationship, as PostgREST says it. */
export class NoRelationship extends Refused {
  constructor(readonly parent: string, readonly target: string, readonly hint?: string) {
    super(`Could not find a relationship between '${parent}' and '${target}' in the schema cache`);
  }

  get response(): Response {
    const hint = this.hint === undefined ? "" : ` using the hint '${this.hint}'`;
    const details =
      `Searched for a foreign key relationship between '${this.parent}' and '${this.target}'${hint} in the schema ` +
      `'public', but no matches were found.`;
    return Response.json({ code: "PGRST200", details, hint: null, message: this.message }, { status: 400 });
  }
}

interface Way {
  /** By which it can be hinted at. */
  name: string;
  /** Of a key of several columns that is hinted at, lite compares the first alone. */
  isHintable: boolean;
}

function waysBetween({ foreign_keys, primary_keys }: Introspection, parent: string, target: string): Way[] {
  const keys = Map.groupBy(
    foreign_keys.filter(({ schema }) => schema === "public"),
    ({ table, foreign_key_name }) => `${table}.${foreign_key_name}`,
  ).values().toArray();
  const isFrom = (from: string, to: string) => ([{ table, ref_table }]: typeof foreign_keys) =>
    table === from && ref_table === to;
  const direct = keys.filter((key) => isFrom(parent, target)(key) || isFrom(target, parent)(key));
  const between = keys.filter(([{ ref_table }]) => ref_table === parent).flatMap((one) =>
    keys.filter((other) => other !== one && isFrom(one[0].table, target)(other)).filter((other) => {
      const primary = primary_keys.find(({ schema, table }) => schema === "public" && table === one[0].table);
      return [...one, ...other].every(({ column }) => primary?.columns.includes(column));
    }).map(() => ({ name: one[0].table, isHintable: true }))
  );
  return [
    ...direct.map((key) => ({ name: String(key[0].foreign_key_name), isHintable: key.length === 1 })),
    ...between,
  ];
}

/** The table that an embedding names: by itself, by a foreign key to it, or by that key's column. */
export function tableNamed({ tables, foreign_keys }: Introspection, parent: string, name: string): string | undefined {
  if (tables.some((table) => table.schema === "public" && table.name === name)) return name;
  return foreign_keys.find(({ table, column, foreign_key_name }) =>
    table === parent && (column === name || foreign_key_name === name)
  )?.ref_table;
}

/** Whether a function of the row may be meant. */
const isComputed = ({ functions = [] }: Introspection, name: string): boolean =>
  functions.some((called) => called.schema === "public" && called.name === name);

/** `[...][alias:]name[!hint][!inner](columns)` */
export const EMBEDDING =
  /^(\s*(?:\.\.\.)?\s*(?:(?:[\w$ -]+|"[^"]*")\s*:\s*)?)([\w$]+)((?:![\w$]+)*)(\s*\()(.*)(\)\s*)$/s;
const HINT = /!(?!(inner|left)(!|$))/;

function hinted(columns: string, parent: string | undefined, known: Introspection): string {
  if (parent === undefined) return columns;
  return partsOf(columns).map((part) => {
    const [, before = "", name = "", hints = "", open, inner = "", close] = EMBEDDING.exec(part) ?? [];
    if (open === undefined) return part;
    const target = tableNamed(known, parent, name);
    // Lite would look into every schema, and name any.
    if (target === undefined && !isComputed(known, name) && !(name === "count" && inner === "")) {
      throw new NoRelationship(parent, name, hints.split("!").find((hint) => hint && !/^(inner|left)$/.test(hint)));
    }
    const ways = target === name ? waysBetween(known, parent, target) : [];
    const isOpen = target === name && !HINT.test(hints);
    if (isOpen && ways.length === 0) throw new NoRelationship(parent, target);
    const given = hints.split("!").filter((hint) => !ways.some((way) => way.name === hint && !way.isHintable));
    const [way, ...others] = ways;
    // A key from a table to itself leads both ways.
    if (isOpen && way?.isHintable && others.length === 0 && target !== parent) given.splice(1, 0, way.name);
    return before + name + given.join("!") + open + hinted(inner, target, known) + close;
  }).join(",");
}

/** What is read first: a table, or that whose rows a function answers with. */
export function rootOf({ tables, functions = [] }: Introspection, path: string): string | undefined {
  const [, call, name] = /^\/rest\/v1\/(rpc\/)?([^/]+)$/.exec(path) ?? [];
  const called = functions.find((each) => each.schema === "public" && each.name === name);
  const root = call === undefined ? name : called?.return_type.replace(/^public\./, "");
  return tables.some((table) => table.schema === "public" && table.name === root) ? root : undefined;
}

/** Lite takes the bracket behind a path into JSON for a part of its last key. */
const withSpace = (select: string) =>
  select.replaceAll(/"[^"]*"|(?<=[^(\s])\)/g, (found) => found === ")" ? " )" : found);

/** The request with a hint for every embedding that PostgREST finds one way for. */
export function withHints(request: Request, known: Introspection): Request {
  const url = new URL(request.url);
  const select = url.searchParams.get("select");
  if (!select?.includes("(")) return request;
  url.searchParams.set("select", withSpace(hinted(select, rootOf(known, url.pathname), known)));
  const { method, headers, body } = request;
  return new Request(url, { method, headers, body });
}
