// Rows that come as CSV, as PostgREST reads them: each value is a text, `NULL` is none, and what is in quotes may hold lines.
import { Refused } from "./postgrest_errors.ts";

/** One value and what ends it: a comma, or a line. */
const VALUE = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;

/** Undefined where a quote is not closed, or in the middle of a value. */
function linesOf(text: string): string[][] | undefined {
  const lines: string[][] = [];
  let line: string[] = [];
  for (let at = 0; at < text.length || line.length > 0;) {
    VALUE.lastIndex = at;
    const [all, inQuotes, bare = "", end] = VALUE.exec(text) ?? [];
    if (all === undefined) return undefined;
    at += all.length;
    line.push(inQuotes?.replaceAll('""', '"') ?? bare);
    if (end === ",") continue;
    if (line.length > 1 || line[0] !== "") lines.push(line);
    line = [];
  }
  return lines;
}

class NoRows extends Refused {
  get response(): Response {
    return Response.json({ code: "PGRST102", details: null, hint: null, message: this.message }, { status: 400 });
  }
}

/** The request with JSON for CSV. */
export async function withoutCsv(request: Request): Promise<Request> {
  const isCsv = /^\s*text\/csv\s*(;|$)/i.test(request.headers.get("content-type") ?? "");
  if (!isCsv || request.method !== "POST" || request.url.includes("/rpc/")) return request;
  const [names = [], ...lines] = linesOf(await request.text()) ?? [];
  if (names.length === 0) throw new NoRows("Empty or invalid CSV");
  if (lines.some(({ length }) => length < names.length)) throw new NoRows("All lines must have same number of fields");
  const rows = lines.map((line) =>
    Object.fromEntries(names.map((name, at) => [name, line[at] === "NULL" ? null : line[at]]))
  );
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  headers.set("content-type", "application/json");
  return new Request(request.url, { method: request.method, headers, body: JSON.stringify(rows) });
}
