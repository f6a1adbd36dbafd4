// `or=(id.eq.1,parts.not.is.null)`: whether a row has embedded ones, beside what its columns say. Lite knows such a branch only
// among its kind. Here it becomes a filter of the primary key, which the rows that have some are looked up by.
import type { PostgresConnection } from "@supabase/lite/postgres";
import { EMBEDDING, rootOf, tableNamed } from "./embeddings.ts";
import { comparisonSql, partsOf } from "./filters.ts";
import { wordFor } from "./meant.ts";

type Introspection = Awaited<ReturnType<PostgresConnection["introspect"]>>;

const LOGIC = /^(not\.)?(and|or)$/;
const NULL_BRANCH = /^(\s*)([\w$]+)\.(not\.)?is\.null(\s*)$/i;

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

interface Embedded {
  /** By which it may be named: as in the answer, or by its table. */
  names: string[];
  table: string;
  hint?: string;
}

function embeddedIn(select: string, root: string, known: Introspection): Embedded[] {
  return partsOf(select).flatMap((part) => {
    const [, before = "", name = "", hints = "", open] = EMBEDDING.exec(part) ?? [];
    const table = open === undefined ? undefined : tableNamed(known, root, name);
    if (table === undefined) return [];
    const alias = /([\w$]+)\s*:\s*$/.exec(before)?.[1];
    const hint = hints.split("!").find((each) => each && !/^(inner|left)$/.test(each)) ??
      (table === name ? undefined : name);
    return [{ names: [name, ...(alias ? [alias] : [])], table, ...(hint === undefined ? {} : { hint }) }];
  });
}

/** How the rows of two tables belong together, `r` and `e`; undefined where there is more than one way, or none. */
function joined(root: string, { table, hint }: Embedded, known: Introspection): string | undefined {
  const keys = Map.groupBy(
    known.foreign_keys.filter(({ schema }) => schema === "public"),
    (key) => `${key.table}.${key.foreign_key_name}`,
  ).values().toArray();
  type Key = (typeof keys)[number];
  const isHinted = (key: Key) =>
    hint === undefined || key[0].foreign_key_name === hint || (key.length === 1 && key[0].column === hint);
  const on = (key: Key, from: string, to: string) =>
    key.map(({ column, ref_column }) => `${from}.${quoted(column)} = ${to}.${quoted(ref_column)}`).join(" and ");
  const isBetween = ([{ table: from, ref_table }]: Key, one: string, other: string) =>
    from === one && ref_table === other;
  const ways = [
    ...keys.filter((key) => isBetween(key, root, table) && isHinted(key)).map((key) => on(key, "r", "e")),
    ...keys.filter((key) => isBetween(key, table, root) && isHinted(key)).map((key) => on(key, "e", "r")),
    ...keys.filter(([{ ref_table }]) => ref_table === root).flatMap((one) => {
      const between = one[0].table;
      const primary = known.primary_keys.find(({ schema, table }) => schema === "public" && table === between)?.columns;
      return keys.filter((other) => other !== one && isBetween(other, between, table))
        .filter((other) => [...one, ...other].every(({ column }) => primary?.includes(column)))
        .filter(() => hint === undefined || hint === between)
        .map((other) =>
          `exists (select 1 from "public".${quoted(between)} as b where ${on(one, "b", "r")} and ${
            on(other, "b", "e")
          })`
        );
    }),
  ];
  return ways.length === 1 ? ways[0] : undefined;
}

/** What the embedded rows are filtered by; undefined for what is more than comparisons of columns. */
function conditions(asked: URLSearchParams, { names }: Embedded): string | undefined {
  const all: string[] = [];
  for (const [key, value] of asked) {
    const [, path = "", column = ""] = /^([^.]+)\.(.*)$/s.exec(key) ?? [];
    if (!names.includes(path) || /^(order|limit|offset)$/.test(column)) continue;
    const [, not = "", rest = ""] = /^(not\.)?(.*)$/s.exec(value) ?? [];
    const isNull = /^is\.(null|not_null|true|false|unknown)$/i.exec(rest)?.[1]?.toLowerCase();
    const sql = isNull === undefined ? comparisonSql(rest) : `is ${isNull.replace("_", " ")}`;
    if (!/^[\w$]+$/.test(column) || LOGIC.test(column) || sql === undefined) return undefined;
    all.push(` and ${not ? "not " : ""}(e.${quoted(column)} ${sql})`);
  }
  return all.join("");
}

/** The request with filters of the primary key for such branches. */
export function withEmbeddedNulls(request: Request, known: Introspection): Request {
  const url = new URL(request.url);
  const select = url.searchParams.get("select") ?? "";
  const root = rootOf(known, url.pathname);
  if (!select.includes("(") || root === undefined || !/\.is\.null/i.test(url.search)) return request;
  const key = known.primary_keys.find(({ schema, table }) => schema === "public" && table === root)?.columns;
  const embedded = embeddedIn(select, root, known);

  function filterOf(name: string): string | undefined {
    const found = embedded.filter(({ names }) => names.includes(name));
    const isColumn = known.columns.some((each) =>
      each.schema === "public" && each.table === root && each.name === name
    );
    if (found.length !== 1 || isColumn || key?.length !== 1) return undefined;
    const [way, filters] = [joined(root ?? "", found[0], known), conditions(url.searchParams, found[0])];
    if (way === undefined || filters === undefined) return undefined;
    const rows = `select r.${quoted(key[0])} from "public".${quoted(root ?? "")} as r, "public".${
      quoted(found[0].table)
    } as e`;
    return `in (${rows} where ${way}${filters})`;
  }

  function tree(text: string): string {
    const [, open, inner, close] = /^(\s*\()(.*)(\)\s*)$/s.exec(text) ?? [];
    if (inner === undefined) return text;
    const parts = partsOf(inner).map((part) => {
      const [, logic, deeper = ""] = /^(\s*(?:not\.)?(?:and|or)\s*)(\(.*\)\s*)$/s.exec(part) ?? [];
      if (logic !== undefined) return logic + tree(deeper);
      const [, , name = "", not] = NULL_BRANCH.exec(part) ?? [];
      const filter = name === "" ? undefined : filterOf(name);
      return filter === undefined ? part : `${key?.[0]}.eq.${wordFor(not ? filter : `not ${filter}`)}`;
    });
    return open + parts.join(",") + close;
  }

  const params = url.searchParams.entries().toArray();
  const changed = params.map(([name, value]) => [name, LOGIC.test(name) ? tree(value) : value]);
  if (changed.every(([, value], at) => value === params[at][1])) return request;
  url.search = new URLSearchParams(changed).toString();
  const { method, headers, body } = request;
  return new Request(url, { method, headers, body });
}
